//! Values, gradients and updates against PyTorch's in `f64`; `golden/make.py` wrote the expected ones.

use dapple_graph::{
    AvgPool, BatchNorm, Conv2d, ConvTranspose2d, Graph, GraphError, Interpolation, Loss, LossKind, LossTerm,
    MaxPool, Mode, NodeId, Optimizer, Pointwise, Shape, State,
};
use dapple_reference::{State64, Stepper, Tensor64, backward, forward, loss};
use serde_json::Value;

fn golden(section: &str) -> Vec<Value> {
    let text = include_str!("../golden/golden.json");
    let mut value: Value = serde_json::from_str(text).expect("the script writes JSON");
    serde_json::from_value(value[section].take()).expect("each section is a list")
}

/// As in the script.
fn numbers(count: usize, salt: usize, levels: usize) -> Vec<f64> {
    let each = |i| ((i * 7919 + salt * 104_729) % levels) as f64 - (levels / 2) as f64;
    (0..count).map(|i| each(i) / 512.0).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("numbers")).collect()
}

fn integer(value: &Value) -> usize {
    value.as_u64().expect("an integer") as usize
}

fn pair(value: &Value) -> [usize; 2] {
    [integer(&value[0]), integer(&value[1])]
}

fn shape(value: &Value) -> Shape {
    let [n, h, w, c] = [0, 1, 2, 3].map(|i| integer(&value[i]));
    Shape::new(n, h, w, c)
}

fn assert_close(found: &[f64], expected: &Value, what: &str) {
    let expected = floats(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        assert!((f - e).abs() <= 1e-10 * e.abs().max(1.0), "{what}, value {i}: {f} instead of {e}");
    }
}

#[test]
fn operations_agree_with_pytorch() {
    let cases = golden("operations");
    assert!(cases.len() > 50);
    for case in cases {
        let what = format!("{} `{}`", case["op"], case["name"]);
        let mut graph = Graph::new(shape(&case["input"]));
        let y = build(&mut graph, &case).unwrap();
        graph.output("y", y).unwrap();

        let mut state = State64::from(&State::init(&graph, 0));
        let statistics = state.specs.iter().filter(|s| !s.role.trainable()).count();
        let (mut salt, specs) = (3, state.specs.clone());
        for spec in &specs {
            let values = numbers(spec.len(), salt, 1009);
            salt += 1;
            if spec.role.trainable() {
                state.values[spec.offset..spec.offset + spec.len()].copy_from_slice(&values);
            } else if spec.name.ends_with("var") {
                let positive = values.iter().map(|v| 0.5 + v.abs());
                state.statistics[spec.offset..].iter_mut().zip(positive).for_each(|(s, v)| *s = v);
            } else {
                state.statistics[spec.offset..spec.offset + spec.len()].copy_from_slice(&values);
            }
        }
        let input = numbers(graph.shape(graph.input()).len(), 1, integer(&case["levels"]));
        let input = Tensor64::new(graph.shape(graph.input()), input);
        let mode = if case["train"] == false { Mode::Eval } else { Mode::Train };
        let trace = forward(&graph, &state, &input, mode);
        assert_close(&trace.values[y.0].data, &case["y"], &format!("{what}: output"));

        let gy = Tensor64::new(graph.shape(y), numbers(graph.shape(y).len(), 2, 1009));
        let gradients = backward(&graph, &state, &trace, &[gy]);
        assert_close(&gradients.input.data, &case["gx"], &format!("{what}: gradient of the input"));
        assert_close(&gradients.values, &case["gp"], &format!("{what}: gradient of the parameters"));
        if statistics > 0 {
            assert_close(&trace.statistics, &case["statistics"], &format!("{what}: running statistics"));
        }
    }
}

fn build(g: &mut Graph, case: &Value) -> Result<NodeId, GraphError> {
    let x = g.input();
    match case["op"].as_str().expect("a name") {
        "conv2d" => {
            let conv = Conv2d {
                out_channels: integer(&case["out"]),
                kernel: pair(&case["kernel"]),
                stride: pair(&case["stride"]),
                padding: pair(&case["padding"]),
                dilation: pair(&case["dilation"]),
                groups: integer(&case["groups"]),
                bias: case["bias"] == true,
            };
            g.conv2d("op", x, &conv)
        }
        "conv_transpose2d" => {
            let conv = ConvTranspose2d {
                out_channels: integer(&case["out"]),
                kernel: pair(&case["kernel"]),
                stride: pair(&case["stride"]),
                padding: pair(&case["padding"]),
                bias: case["bias"] == true,
            };
            g.conv_transpose2d("op", x, &conv)
        }
        "batch_norm" => {
            let number = |key: &str| case[key].as_f64().expect("a number") as f32;
            g.batch_norm_with(
                "op",
                x,
                BatchNorm { eps: number("eps"), momentum: number("momentum"), frozen: false },
            )
        }
        "relu" => g.relu(x),
        "max_pool" => g.max_pool(x, &pool(case)),
        "max_unpool" => {
            let pooled = g.max_pool(x, &pool(case))?;
            // Three times the pooled values, as in the script.
            let twice = g.add(pooled, pooled)?;
            let thrice = g.add(twice, pooled)?;
            g.max_unpool(thrice, pooled)
        }
        "resize" => {
            let like = other_size(g, case)?;
            g.resize(x, like, interpolation(case))
        }
        "upscale" => g.upscale(x, integer(&case["factor"]), interpolation(case)),
        "fit_to" => {
            let like = other_size(g, case)?;
            g.fit_to(x, like)
        }
        "concat" => {
            let y = g.relu(x)?;
            g.concat(&[x, y, x])
        }
        "add" => {
            let y = g.relu(x)?;
            g.add(y, x)
        }
        "layer_norm" => g.layer_norm("op", x, case["eps"].as_f64().expect("a number") as f32),
        "group_norm" => g.group_norm("op", x, integer(&case["groups"])),
        "scale" => g.scale("op", x, 1.0),
        "mul" => {
            let y = if case["gate"] == true { g.adaptive_avg_pool(x, [1, 1])? } else { g.relu(x)? };
            g.mul(x, y)
        }
        "average_pool" => g.adaptive_avg_pool(x, pair(&case["target"])),
        "mean_pool" => {
            let [kernel, stride, padding] = ["kernel", "stride", "padding"].map(|key| pair(&case[key]));
            g.avg_pool(x, &AvgPool { kernel, stride, padding })
        }
        "attention" => {
            let source =
                if case["keys"].is_null() { x } else { g.adaptive_avg_pool(x, pair(&case["keys"]))? };
            let projection = Conv2d::new(integer(&case["channels"]), 1).bias(false);
            let q = g.conv2d("q", x, &projection)?;
            let k = g.conv2d("k", source, &projection)?;
            let v = g.conv2d("v", source, &projection)?;
            g.attention(q, k, v, integer(&case["heads"]))
        }
        "sigmoid" => eightfold(g, Pointwise::Sigmoid),
        "relu6" => eightfold(g, Pointwise::Relu6),
        "hard_sigmoid" => eightfold(g, Pointwise::HardSigmoid),
        "hard_swish" => eightfold(g, Pointwise::HardSwish),
        "silu" => eightfold(g, Pointwise::Silu),
        "gelu" => eightfold(g, Pointwise::Gelu),
        "negative" => eightfold(g, Pointwise::Negative),
        "channel_sum" => g.channel_sum(x, integer(&case["channels"])),
        other => panic!("the script makes no `{other}`"),
    }
}

/// A function of eight times the input, as in the script.
fn eightfold(g: &mut Graph, function: Pointwise) -> Result<NodeId, GraphError> {
    let mut x = g.input();
    for _ in 0..3 {
        x = g.add(x, x)?;
    }
    g.activate(x, function)
}

fn pool(case: &Value) -> MaxPool {
    MaxPool {
        kernel: pair(&case["kernel"]),
        stride: pair(&case["stride"]),
        padding: pair(&case["padding"]),
        ceil: case["ceil"] == true,
    }
}

fn interpolation(case: &Value) -> Interpolation {
    match case["kind"].as_str().expect("a name") {
        "nearest" => Interpolation::Nearest,
        kind => Interpolation::Bilinear { align_corners: kind == "corners" },
    }
}

/// A node of the target's size: pooling reduces the enlarged input to it.
fn other_size(g: &mut Graph, case: &Value) -> Result<NodeId, GraphError> {
    let (x, target) = (g.input(), pair(&case["target"]));
    let large = g.upscale(x, 10, Interpolation::Nearest)?;
    let s = g.shape(large);
    let window = MaxPool {
        kernel: [1, 1],
        stride: [s.h.div_ceil(target[0]), s.w.div_ceil(target[1])],
        padding: [0, 0],
        ceil: false,
    };
    let like = g.max_pool(large, &window)?;
    assert_eq!([g.shape(like).h, g.shape(like).w], target, "the strides give the target's size");
    Ok(like)
}

#[test]
fn losses_agree_with_pytorch() {
    let cases = golden("losses");
    assert!(cases.len() > 40);
    for case in cases {
        let what = format!("{} of {}, ignoring {}", case["kind"], case["shape"], case["ignore"]);
        let kind: LossKind = serde_json::from_value(case["kind"].clone()).unwrap();
        let settings = |name: &str| case["settings"][name].as_f64().map(|v| v as f32);
        let term = LossTerm {
            smoothing: settings("smoothing"),
            gamma: settings("gamma"),
            alpha: settings("alpha"),
            beta: settings("beta"),
            keep: settings("keep"),
            ..LossTerm::new(kind, 1.0)
        };
        let shape = shape(&case["shape"]);
        let labels: Vec<u8> = serde_json::from_value(case["labels"].clone()).unwrap();
        let logits = numbers(shape.len(), 1, 1009)
            .iter()
            .enumerate()
            .map(|(i, v)| 4.0 * v + 1e-5 * (i * i) as f64)
            .collect();
        let settings = Loss {
            ignore: serde_json::from_value(case["ignore"].clone()).unwrap(),
            class_weights: serde_json::from_value(case["class_weights"].clone()).unwrap(),
            terms: vec![term],
            ..Loss::single(kind)
        };
        let (value, gradients) = loss(&[Tensor64::new(shape, logits)], &labels, &settings).unwrap();
        assert!((value - case["value"].as_f64().unwrap()).abs() < 1e-10, "{what}: {value}");
        assert_close(&gradients[0].data, &case["gradient"], &what);
    }
}

#[test]
fn optimizers_agree_with_pytorch() {
    let cases = golden("optimisers");
    assert!(cases.len() > 40);
    for case in cases {
        let what = format!("{}, clipping {}", case["optimizer"], case["clip"]);
        let optimizer: Optimizer = serde_json::from_value(case["optimizer"].clone()).unwrap();
        let mut graph = Graph::new(Shape::new(1, 1, 1, 3));
        graph.conv2d("conv", graph.input(), &Conv2d::new(2, 1)).unwrap();
        let mut values = [numbers(6, 3, 1009), numbers(2, 4, 1009)].concat();
        let mut stepper = Stepper::new(optimizer, values.len());
        let mut norms = Vec::new();
        for step in 0..4 {
            let gradients = [numbers(6, 10 + step, 1009), numbers(2, 20 + step, 1009)].concat();
            let rate = 0.1 / (step + 1) as f64;
            norms.push(stepper.step(graph.params(), &mut values, &gradients, rate, case["clip"].as_f64()));
        }
        assert_close(&norms, &case["norms"], &what);
        assert_close(&values, &case["values"], &what);
    }
}
