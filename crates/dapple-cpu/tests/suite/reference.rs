//! Every operation and random networks against the slow f64 reference: values, gradients, running statistics.

use dapple_cpu::{CpuEngine, Level};
use dapple_graph::{
    Conv2d, Decay, DropoutState, Engine, Graph, GraphError, Inference, Interpolation, MaxPool, Mode, Network,
    NodeId, Optimizer, Pointwise, Shape, State, Tensor,
};
use dapple_reference::equivalence::{TOLERANCE, hard_to_normalize, may_tie, some_loss, worst_gradient};
use dapple_reference::random::{self, RandomNetwork};
use dapple_reference::{
    Gradients, State64, Tensor64, Trace, backward, forward, forward_with, relative_distance,
};
use std::sync::Arc;

pub(super) fn levels() -> Vec<CpuEngine> {
    let engine = |level| CpuEngine::with_level(Some(2), level).expect("the level is available");
    Level::available().into_iter().map(engine).collect()
}

fn widen(t: &Tensor) -> Tensor64 {
    Tensor64::new(t.shape, t.data.iter().map(|&v| f64::from(v)).collect())
}

fn close(what: &str, description: &str, got: &[f32], wanted: &[f64]) {
    let distance = relative_distance(wanted, got);
    assert!(distance < TOLERANCE, "{what} differs by {distance:.2e}: {description}");
}

/// The results of the reference for a network.
struct Wanted<'a> {
    network: &'a RandomNetwork,
    seed: u64,
    state: State,
    input: Tensor,
    inference: Trace,
    sample: Trace,
    training: Trace,
    upstream: Vec<Tensor>,
    gradients: Gradients,
}

/// Compares all engines with the reference; false where that cannot be done.
pub(super) fn check(engines: &[CpuEngine], network: &RandomNetwork, seed: u64) -> bool {
    let graph = &network.graph;
    let state = random::state(graph, seed);
    let input = random::tensor(graph.shape(graph.input()), seed);
    let (wide, wide_input) = (State64::from(&state), widen(&input));
    let training = forward(graph, &wide, &wide_input, Mode::Train);
    // Rectifying or pooling values that tie within the tolerance may go either way.
    if training.margin() < 1e-4 || hard_to_normalize(graph, &training) {
        return false;
    }
    let upstream =
        |(i, (_, id)): (usize, &(String, NodeId))| random::tensor(graph.shape(*id), seed ^ (i as u64 + 77));
    let upstream: Vec<Tensor> = graph.outputs().iter().enumerate().map(upstream).collect();
    let gradients = backward(graph, &wide, &training, &upstream.iter().map(widen).collect::<Vec<_>>());
    let dropout = DropoutState { seed, passes: 3 };
    let inference = forward(graph, &wide, &wide_input, Mode::Eval);
    let sample = forward_with(graph, &wide, &wide_input, Mode::Sample, dropout);
    let wanted = Wanted { network, seed, state, input, inference, sample, training, upstream, gradients };
    engines.iter().for_each(|engine| check_engine(engine, &wanted));
    true
}

fn check_engine(engine: &CpuEngine, wanted: &Wanted) {
    let Wanted { network, seed, state, input, training, upstream, .. } = wanted;
    let graph = &network.graph;
    let description = format!("{:?}: {}", engine.level(), network.description);
    let shared: Arc<dyn Network> = Arc::new((*network).clone());
    let mut executor = engine.load_trainer(shared.clone(), state, Optimizer::adam()).expect("the state fits");

    for mode in [Inference::Eval, Inference::Predict, Inference::Sample] {
        executor.set_dropout_state(DropoutState { seed: *seed, passes: 3 });
        let outputs = executor.infer(input, mode).expect("the graph fits");
        let trace = if mode == Inference::Sample { &wanted.sample } else { &wanted.inference };
        if trace.margin() > 1e-4 {
            for (got, wanted) in outputs.iter().zip(trace.outputs()) {
                close("an output in inference", &description, &got.data, &wanted.data);
            }
        }
    }
    executor.set_dropout_state(DropoutState::default());
    let outputs = executor.forward(input).expect("the graph fits");
    assert_eq!(outputs.len(), graph.outputs().len());
    for (got, wanted) in outputs.iter().zip(training.outputs()) {
        close("an output in training", &description, &got.data, &wanted.data);
    }
    let after = executor.state();
    close("the running statistics", &description, &after.statistics, &training.statistics);

    let wanted = &wanted.gradients;
    let (input_gradient, gradients) =
        engine.gradients(shared, state, input, upstream).expect("the graph fits");
    close("the input's gradient", &description, &input_gradient.data, &wanted.input.data);
    let gradients: Vec<f64> = gradients.into_iter().map(f64::from).collect();
    let (error, name) = worst_gradient(graph, &wanted.values, &gradients);
    // Twice: what Winograd's algorithm rounds, batch norms of mostly zeros magnify.
    assert!(error <= 2.0, "the gradient of {name} is off by {error:.2} times the tolerance: {description}");
}

pub(super) fn single(graph: Graph, description: String) -> RandomNetwork {
    RandomNetwork { graph, description }
}

#[test]
fn operations_agree_with_the_reference() {
    let engines = levels();
    let mut checked = 0;
    for seed in 0..40 * random::OPERATIONS {
        let (graph, description) = random::operation(seed);
        checked += u64::from(check(&engines, &single(graph, description), seed));
    }
    assert!(checked > 30 * random::OPERATIONS, "only {checked} could be compared");
}

#[test]
fn networks_agree_with_the_reference() {
    let engines = levels();
    let checked = (0..200).filter(|&seed| check(&engines, &random::network(seed), seed)).count();
    assert!(checked > 120, "only {checked} could be compared");
}

/// Convolutions large enough for every way in which the kernels split channels and tiles.
#[test]
fn large_convolutions_agree_with_the_reference() {
    let conv = |h: usize, w: usize, ins: usize, conv: Conv2d| {
        let mut graph = Graph::new(Shape::new(1, h, w, ins));
        let y = graph.conv2d("conv", graph.input(), &conv).expect("it fits");
        graph.output("y", y).expect("it is there");
        single(graph, format!("{h} x {w} x {ins}, {conv:?}"))
    };
    let cases = [
        conv(57, 58, 256, Conv2d::new(4, 3).padding(1)),
        conv(20, 21, 80, Conv2d::new(80, 3).padding(1)),
        conv(50, 47, 24, Conv2d::new(24, 3).padding(2).dilation(2)),
        conv(30, 31, 300, Conv2d::new(40, 1)),
        conv(45, 44, 40, Conv2d::new(40, 3).padding(1).stride(2)),
        conv(64, 64, 3, Conv2d::new(32, 7).padding(3).stride(2)),
        conv(60, 61, 96, Conv2d::new(96, 3).padding(1).groups(96)),
        conv(41, 62, 72, Conv2d::new(72, 5).padding(2).stride(2).groups(72)),
        conv(30, 30, 80, Conv2d::new(80, 7).padding(3).groups(80).bias(false)),
        conv(33, 30, 32, Conv2d::new(32, 3).padding(12).dilation(12).groups(32)),
        conv(24, 25, 128, Conv2d::new(128, 3).padding(1).groups(32)),
        conv(24, 25, 96, Conv2d::new(192, 3).padding(1).stride(2).groups(6)),
        conv(12, 13, 30, Conv2d::new(60, 3).padding(1).groups(3)),
        // To one channel, whose taps are summed apart: odd kernels, cut borders, more rows than a task takes.
        conv(70, 41, 48, Conv2d::new(1, 3).padding(1)),
        conv(9, 200, 20, Conv2d::new(1, 3).padding(2).dilation(2).bias(false)),
        conv(3, 2, 16, Conv2d::new(1, 2)),
        // Tiles that lie mostly outside of the map are left to products.
        conv(6, 7, 32, Conv2d::new(32, 3).padding(8).dilation(8)),
    ];
    let engines = levels();
    for (seed, network) in cases.iter().enumerate() {
        assert!(check(&engines, network, seed as u64), "{} cannot be compared", network.description);
    }
}

/// The addends of a convolution's output in inference, and where there must be none.
#[test]
fn residuals_agree_with_the_reference() {
    // Kernel and channels; whether the sum's other input comes first, goes through a batch norm, and whether the
    // convolution's output has another reader.
    let build = |kernel: usize, channels: usize, [first, norm, shared]: [bool; 3]| {
        let mut g = Graph::new(Shape::new(2, 9, 11, channels));
        let conv = Conv2d::new(channels, kernel).padding(kernel / 2);
        let built = (|| {
            let skip = g.conv2d("skip", g.input(), &conv)?;
            let skip = if norm { g.batch_norm("norm", skip)? } else { skip };
            let y = g.conv2d("conv", skip, &conv)?;
            let y = g.relu(y)?;
            let sum = if first { g.add(skip, y)? } else { g.add(y, skip)? };
            let sum = g.relu(sum)?;
            g.output("sum", sum)?;
            if shared { g.output("y", y) } else { Ok(()) }
        })();
        built.expect("it fits");
        single(g, format!("{kernel} x {kernel}, {channels} channels, {first} {norm} {shared}"))
    };
    let engines = levels();
    let mut checked = 0;
    for (kernel, channels) in [(3, 16), (3, 40), (1, 24), (5, 3)] {
        for flags in 0..8 {
            let network = build(kernel, channels, [1, 2, 4].map(|bit| flags & bit != 0));
            checked += (0..3).filter(|&seed| check(&engines, &network, seed)).count();
        }
    }
    assert!(checked > 30, "only {checked} could be compared");
}

/// Maps of one block of channels, of several, and of more than are read together, with odd sizes; each operation twice, once
/// on a map as it is stored and once on a batch norm of it, and with a second reader, so that gradients are added.
#[test]
fn operations_on_many_channels_agree_with_the_reference() {
    type Build = fn(&mut Graph, NodeId) -> Result<NodeId, GraphError>;
    let operations: [(&str, Build); 13] = [
        ("sigmoid", |g, x| g.activate(x, Pointwise::Sigmoid)),
        ("hard sigmoid", |g, x| g.activate(x, Pointwise::HardSigmoid)),
        ("hard swish", |g, x| g.activate(x, Pointwise::HardSwish)),
        ("SiLU", |g, x| g.activate(x, Pointwise::Silu)),
        ("GELU", |g, x| g.activate(x, Pointwise::Gelu)),
        ("sum", |g, x| {
            let y = g.activate(x, Pointwise::Silu)?;
            g.add(x, y)
        }),
        ("product", |g, x| {
            let y = g.activate(x, Pointwise::Sigmoid)?;
            g.mul(x, y)
        }),
        ("concatenation", |g, x| g.concat(&[x, x])),
        ("bilinear, twice the size", |g, x| {
            g.upscale(x, 2, Interpolation::Bilinear { align_corners: false })
        }),
        ("bilinear, corners", |g, x| g.upscale(x, 3, Interpolation::Bilinear { align_corners: true })),
        ("nearest", |g, x| g.upscale(x, 2, Interpolation::Nearest)),
        ("adaptive average", |g, x| g.adaptive_avg_pool(x, [3, 4])),
        ("unpooling", |g, x| {
            let small = g.max_pool(x, &MaxPool::new(2, 2))?;
            g.max_unpool(small, small)
        }),
    ];
    let engines = levels();
    let (mut checked, mut all) = (0, 0);
    for (name, operation) in operations {
        for (channels, norm) in [(3, false), (16, true), (40, false), (48, true), (64, false), (80, true)] {
            let mut g = Graph::new(Shape::new(2, 6, 7, 5));
            let built = (|| {
                let x = g.conv2d("map", g.input(), &Conv2d::new(channels, 1))?;
                let x = if norm { g.batch_norm("norm", x)? } else { x };
                let y = operation(&mut g, x)?;
                g.output("y", y)?;
                g.output("x", x)
            })();
            built.expect("it fits");
            let network = single(g, format!("{name}, {channels} channels, batch norm: {norm}"));
            all += 1;
            checked += usize::from((0..5).any(|seed| check(&engines, &network, seed)));
        }
    }
    assert!(10 * checked > 9 * all, "only {checked} of {all} could be compared");
}

#[test]
fn relu6_has_no_gradient_at_its_bounds_as_in_pytorch() {
    let shape = Shape::new(1, 1, 5, 1);
    let network = (shape, |input: Shape| {
        let mut g = Graph::new(input);
        let y = g.activate(g.input(), Pointwise::Relu6)?;
        g.output("y", y)?;
        Ok::<Graph, GraphError>(g)
    });
    let network: Arc<dyn Network> = Arc::new(network);
    let state = State::init(&network.build(shape).expect("it fits"), 0);
    let input = Tensor::new(shape, vec![-1.0, 0.0, 3.0, 6.0, 7.0]);
    let upstream = [Tensor::new(shape, vec![1.0; 5])];
    for engine in levels() {
        let (x, _) = engine.gradients(network.clone(), &state, &input, &upstream).expect("it fits");
        assert_eq!(x.data, [0.0, 0.0, 1.0, 0.0, 0.0], "{:?}", engine.level());
    }
}

/// The same logits make the same loss at every level: its exponentials are unfused everywhere.
#[test]
fn losses_have_the_same_bits_at_every_level() {
    for channels in [1, 2, 12, 19] {
        let network = (Shape::new(1, 5, 7, channels), |input: Shape| {
            let mut g = Graph::new(input);
            let y = g.scale("factor", g.input(), 1.0)?;
            g.output("y", y)?;
            Ok(g)
        });
        let shape = network.example_input();
        let state = State::init(&network.build(shape).expect("it fits"), 0);
        let input = random::tensor(shape, 5);
        let network: Arc<dyn Network> = Arc::new(network);
        for seed in 0..12 {
            let loss = some_loss(channels, seed);
            let labels = random::labels(shape.pixels(), channels.max(2), loss.ignore, seed);
            let of = |engine: &CpuEngine| {
                let mut trainer =
                    engine.load_trainer(network.clone(), &state, Optimizer::adam()).expect("the state fits");
                trainer.accumulate(&input, &labels, &loss, 1.0).expect("it fits").to_bits()
            };
            let values: Vec<u64> = levels().iter().map(of).collect();
            assert!(values.iter().all(|v| *v == values[0]), "{loss:?}, {channels} channels");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for seed in 0..40 {
        let network = random::network(seed);
        let graph = &network.graph;
        let state = random::state(graph, seed);
        let input = random::tensor(graph.shape(graph.input()), seed);
        let outputs: Vec<Vec<Tensor>> = [1, 2, 5]
            .iter()
            .map(|&threads| {
                let engine = CpuEngine::new(Some(threads)).expect("threads can be started");
                let upstream: Vec<Tensor> =
                    graph.outputs().iter().map(|(_, id)| random::tensor(graph.shape(*id), 3)).collect();
                let network: Arc<dyn Network> = Arc::new(network.clone());
                let (x, p) = engine.gradients(network.clone(), &state, &input, &upstream).expect("it fits");
                let mut executor = engine.load(network, &state).expect("it fits");
                let mut all = executor.infer(&input, Inference::Eval).expect("it fits");
                all.push(x);
                let len = p.len();
                all.push(Tensor::new(dapple_graph::Shape::new(1, 1, 1, len), p));
                all
            })
            .collect();
        assert_eq!(outputs[0], outputs[1], "{}", network.description);
        assert_eq!(outputs[0], outputs[2], "{}", network.description);
    }
}

#[test]
fn losses_and_optimizers_agree_with_the_reference() {
    let optimizers = [
        Optimizer::sgd(0.9, 5e-4),
        Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1, decay: Decay::Weights },
        Optimizer::rmsprop(0.9),
        Optimizer::adam(),
        Optimizer::adamw(0.05),
        Optimizer::lion(0.05),
        Optimizer::muon(0.05),
    ];
    for engine in levels() {
        for seed in 0..90 {
            let network = random::labelled_network(seed);
            let graph = &network.graph;
            let description = format!("{:?}: {}", engine.level(), network.description);
            let channels = graph.shape(graph.outputs()[0].1).c;
            let loss = some_loss(channels, seed);
            let state = random::state(graph, seed);
            let shape = graph.shape(graph.input());
            let input = random::tensor(shape, seed);
            let labels = random::labels(shape.pixels(), channels.max(2), loss.ignore, seed);
            let wide = State64::from(&state);
            let trace = forward(graph, &wide, &widen(&input), Mode::Train);
            if trace.margin() < 1e-5 || may_tie(graph, &trace) {
                continue;
            }
            let (wanted, slopes) = dapple_reference::loss(&trace.outputs(), &labels, &loss).expect("it fits");
            let wanted_gradients = backward(graph, &wide, &trace, &slopes).values;

            let optimizer = optimizers[seed as usize % optimizers.len()];
            let mut executor =
                engine.load_trainer(Arc::new(network.clone()), &state, optimizer).expect("it fits");
            // In two halves of the loss, which add up to the whole gradient; running statistics move twice.
            let first = executor.accumulate(&input, &labels, &loss, 0.25).expect("it fits");
            executor.set_dropout_state(DropoutState::default());
            let second = executor.accumulate(&input, &labels, &loss, 0.75).expect("it fits");
            assert_eq!(first, second, "{description}");
            assert!(
                (first - wanted).abs() <= 1e-5 * wanted.abs().max(1.0),
                "{first} for {wanted}: {description}"
            );
            let gradients = executor.gradients();
            let distance = relative_distance(&wanted_gradients, &gradients);
            assert!(distance < 2.0 * TOLERANCE, "gradients differ by {distance:.2e}: {description}");

            // Two steps from the engine's own gradient, so that only the update rules are compared.
            let mut stepper = dapple_reference::Stepper::new(optimizer, graph.trainable_len());
            let mut values: Vec<f64> = state.values.iter().map(|&v| f64::from(v)).collect();
            for clip in [Some(0.1), None] {
                let gradients: Vec<f64> = executor.gradients().iter().map(|&v| f64::from(v)).collect();
                let wanted = stepper.step(graph.params(), &mut values, &gradients, 0.01, clip.map(f64::from));
                let norm = executor.step(0.01, clip).expect("it has an optimizer");
                assert!(
                    (f64::from(norm) - wanted).abs() <= 1e-4 * wanted,
                    "norm {norm} for {wanted}: {description}"
                );
                close("a parameter after a step", &description, &executor.state().values, &values);
                executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits");
            }
            let (value, logits) = executor.evaluate(&input, &labels, &loss).expect("it fits");
            assert!(value.is_finite() && logits.shape.c == channels);
        }
    }
}

#[test]
fn more_memory_than_the_machine_has_is_an_error() {
    let shape = Shape::new(1, 1 << 22, 1 << 22, 3);
    let build = move |_: Shape| {
        let mut graph = Graph::new(shape);
        let y = graph.relu(graph.input())?;
        graph.output("y", y)?;
        Ok(graph)
    };
    let empty = State { specs: Vec::new(), values: Vec::new(), statistics: Vec::new() };
    let engine = CpuEngine::new(Some(1)).expect("threads can be started");
    let mut executor = engine.load(Arc::new((shape, build)), &empty).expect("there are no parameters");
    let input = Tensor { shape: Shape::new(1, 1, 1, shape.c), data: vec![0.0; shape.c] };
    let error = executor.infer(&input, Inference::Predict).expect_err("there is no such memory").to_string();
    assert!(error.contains("GB of memory"), "{error}");
}
