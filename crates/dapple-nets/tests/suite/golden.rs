//! Narrow networks against PyTorch in double precision (`tests/golden/make.py`): outputs, loss, running statistics
//! and gradients.

use dapple_cpu::CpuEngine;
use dapple_graph::{Engine, Graph, Inference, Loss, LossKind, Mode, Network, Optimizer, Shape, State};
use dapple_nets::checkpoint::{NamedTensor, init_from, read_state_dict};
use dapple_nets::{Head, NetConfig};
use dapple_reference::{State64, Tensor64, backward, forward, loss};
use std::path::Path;
use std::sync::Arc;

/// As in the script: of a gradient with more than `DENSE` values, every `STRIDE`-th is kept.
const DENSE: usize = 256;
const STRIDE: usize = 29;

/// PyTorch's values for one network.
struct Golden {
    config: NetConfig,
    state: State,
    entries: Vec<NamedTensor>,
}

impl Golden {
    fn read(file: &str, config: NetConfig) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{file}.safetensors"));
        let entries = read_state_dict(&path, &|_| true).unwrap();
        let named = |entry: &NamedTensor| {
            let name = entry.name.strip_prefix("state.")?.to_owned();
            Some(NamedTensor { name, ..entry.clone() })
        };
        let weights: Vec<NamedTensor> = entries.iter().filter_map(named).collect();
        let mut state = State::init(&config.build(Shape::new(1, 32, 32, 3)).unwrap(), 0);
        let report = init_from(&mut state, &config, &weights).unwrap();
        assert_eq!(report.loaded.len(), state.specs.len(), "{file}: {report}");
        assert!(report.unexpected.is_empty(), "{file}: {report}");
        Self { config, state, entries }
    }

    fn entry(&self, name: &str) -> &NamedTensor {
        self.entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no `{name}`"))
    }

    /// A map of PyTorch's, `[n, c, h, w]`, as dapple has it.
    fn map(&self, name: &str) -> Tensor64 {
        let NamedTensor { shape, values, .. } = self.entry(name);
        let &[n, c, h, w] = &shape[..] else { panic!("`{name}` is no map") };
        let mut map = Tensor64::zeros(Shape::new(n, h, w, c));
        let mut values = values.iter();
        for (image, channel) in (0..n).flat_map(|n| (0..c).map(move |c| (n, c))) {
            for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                let at = map.index(image, y, x, channel);
                map.data[at] = f64::from(*values.next().unwrap());
            }
        }
        map
    }

    fn labels(&self) -> Vec<u8> {
        self.entry("labels").values.iter().map(|&v| v as u8).collect()
    }

    fn loss(&self) -> Loss {
        let kind =
            if self.config.logits() == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
        Loss::single(kind)
    }

    fn graph(&self, input: &Tensor64) -> Graph {
        self.config.build(input.shape).unwrap()
    }

    /// Each trainable parameter's kept gradient values, from a flat buffer or PyTorch's.
    fn kept_gradients(&self, flat: &[f64]) -> Vec<(&str, Vec<f64>)> {
        let trainable = self.state.specs.iter().filter(|s| s.role.trainable());
        trainable
            .map(|s| {
                let step = if s.len() > DENSE { STRIDE } else { 1 };
                let values = &flat[s.offset..s.offset + s.len()];
                (s.name.as_str(), values.iter().copied().step_by(step).collect())
            })
            .collect()
    }
}

/// Computed values for the network of a golden file.
struct Run {
    eval: Vec<Tensor64>,
    eval32: Tensor64,
    train: Vec<Tensor64>,
    loss: f64,
    /// Laid out like [`State::statistics`].
    statistics: Vec<f64>,
    /// Laid out like [`State::values`].
    gradients: Vec<f64>,
}

/// The reference interpreter's values.
fn reference(golden: &Golden) -> Run {
    let state = State64::from(&golden.state);
    let eval = |name: &str| {
        let input = golden.map(name);
        forward(&golden.graph(&input), &state, &input, Mode::Eval).outputs()
    };
    let input = golden.map("input");
    let graph = golden.graph(&input);
    let trace = forward(&graph, &state, &input, Mode::Train);
    let (loss, output_gradients) = loss(&trace.outputs(), &golden.labels(), &golden.loss()).unwrap();
    Run {
        eval: eval("input"),
        eval32: eval("input32").swap_remove(0),
        train: trace.outputs(),
        loss,
        gradients: backward(&graph, &state, &trace, &output_gradients).values,
        statistics: trace.statistics,
    }
}

/// An engine's values.
fn run(engine: &dyn Engine, golden: &Golden) -> Run {
    let load = || {
        engine.load_trainer(Arc::new(golden.config.clone()), &golden.state, Optimizer::sgd(0.0, 0.0)).unwrap()
    };
    let outputs = |name: &str, mode| -> Vec<Tensor64> {
        load().infer(&golden.map(name).to_f32(), mode).unwrap().iter().map(Tensor64::from).collect()
    };
    let mut executor = load();
    let input = golden.map("input").to_f32();
    let loss = executor.accumulate(&input, &golden.labels(), &golden.loss(), 1.0).unwrap();
    let widen = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
    Run {
        eval: outputs("input", Inference::Eval),
        eval32: outputs("input32", Inference::Predict).swap_remove(0),
        train: load().forward(&input).unwrap().iter().map(Tensor64::from).collect(),
        loss,
        statistics: widen(&executor.state().statistics),
        gradients: widen(&executor.gradients()),
    }
}

impl Golden {
    /// Compares everything with PyTorch's values; errors are relative to the largest value of a map or parameter.
    fn check(&self, run: &Run, tolerance: f64, gradient_tolerance: f64) {
        let maps = |kind: &'static str, maps: &[Tensor64]| {
            for (i, map) in maps.iter().enumerate() {
                self.check_map(&format!("{kind}.{i}"), map, tolerance);
            }
        };
        maps("eval", &run.eval);
        maps("eval32", std::slice::from_ref(&run.eval32));
        maps("train", &run.train);
        assert!(distance(&self.entry("running").values, &run.statistics, 1.0) < tolerance);
        assert!(distance(&self.entry("loss").values, &[run.loss], run.loss) < tolerance, "loss {}", run.loss);

        let expected = &self.entry("grad").values;
        // A bias before a batch norm has no effect: its gradient is nothing but rounding.
        let floor = 1e-3 * largest(expected);
        let mut at = 0;
        for (name, found) in self.kept_gradients(&run.gradients) {
            let expected = &expected[at..at + found.len()];
            at += found.len();
            let d = distance(expected, &found, largest(expected).max(floor));
            assert!(d < gradient_tolerance, "gradient of {name}: {d:e}");
        }
        assert_eq!(at, expected.len());
    }

    fn check_map(&self, name: &str, found: &Tensor64, tolerance: f64) {
        let expected = self.map(name);
        assert_eq!(expected.shape, found.shape, "{name}");
        let expected: Vec<f32> = expected.data.iter().map(|&v| v as f32).collect();
        let d = distance(&expected, &found.data, largest(&expected));
        assert!(d < tolerance, "{name}: {d:e}");
    }
}

/// The largest difference relative to `scale`.
fn distance(expected: &[f32], found: &[f64], scale: f64) -> f64 {
    assert_eq!(expected.len(), found.len());
    expected.iter().zip(found).map(|(&e, &f)| (f64::from(e) - f).abs()).fold(0.0, f64::max) / scale
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |m: f64, &v| m.max(f64::from(v).abs()))
}

fn check(file: &str, config: NetConfig) {
    let golden = Golden::read(file, config);
    // The reference computes in double precision; the files were rounded to `f32`.
    golden.check(&reference(&golden), 2e-7, 2e-7);
    let engine = CpuEngine::new(None).unwrap();
    // An engine in single precision, a hundred layers deep.
    golden.check(&run(&engine, &golden), 1e-4, 2e-3);
}

fn config(name: &str, classes: usize, width: usize) -> NetConfig {
    NetConfig { width, ..NetConfig::new(name, 3, classes).unwrap() }
}

#[test]
fn unet_is_pytorchs() {
    check("unet", config("unet", 3, 4));
}

#[test]
fn unet_bilinear_is_pytorchs() {
    check("unet-bilinear", config("unet-bilinear", 3, 4));
}

#[test]
fn u2net_is_pytorchs() {
    check("u2net", config("u2net", 2, 4));
}

#[test]
fn u2net_lite_is_pytorchs() {
    check("u2net-lite", config("u2net-lite", 2, 8));
}

#[test]
fn segnet_is_pytorchs() {
    check("segnet", config("segnet", 3, 4));
}

#[test]
fn segnet_with_a_dense_head_is_pytorchs() {
    check("segnet-dense", NetConfig { head: Some(Head::Dense), ..config("segnet", 3, 4) });
}
