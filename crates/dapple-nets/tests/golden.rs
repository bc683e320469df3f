//! Narrow networks against PyTorch in double precision (`tests/golden/make.py`): outputs, loss, running statistics
//! and gradients.

use dapple_graph::{Graph, Loss, LossKind, Mode, Network, Shape, State};
use dapple_nets::checkpoint::{Entry, init_from, read_state_dict};
use dapple_nets::{Head, NetConfig};
use dapple_reference::{State64, Tensor64, backward, forward, loss};
use std::path::Path;

/// As in the script: of a gradient with more than `DENSE` values, every `STRIDE`-th is kept.
const DENSE: usize = 256;
const STRIDE: usize = 29;

/// PyTorch's values for one network.
struct Golden {
    config: NetConfig,
    state: State,
    entries: Vec<Entry>,
}

impl Golden {
    fn read(file: &str, config: NetConfig) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{file}.safetensors"));
        let entries = read_state_dict(&path, &|_| true).unwrap();
        let named = |entry: &Entry| {
            let name = entry.name.strip_prefix("state.")?.to_owned();
            Some(Entry { name, ..entry.clone() })
        };
        let weights: Vec<Entry> = entries.iter().filter_map(named).collect();
        let mut state = State::init(&config.build(Shape::new(1, 32, 32, 3)).unwrap(), 0);
        let report = init_from(&mut state, &config, &weights).unwrap();
        assert_eq!(report.loaded.len(), state.specs.len(), "{file}: {report}");
        assert!(report.unexpected.is_empty(), "{file}: {report}");
        Self { config, state, entries }
    }

    fn entry(&self, name: &str) -> &Entry {
        self.entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no `{name}`"))
    }

    /// A map of PyTorch's, `[n, c, h, w]`, as dapple has it.
    fn map(&self, name: &str) -> Tensor64 {
        let Entry { shape, values, .. } = self.entry(name);
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

/// The largest difference relative to `scale`.
fn distance(expected: &[f32], found: &[f64], scale: f64) -> f64 {
    assert_eq!(expected.len(), found.len());
    expected.iter().zip(found).map(|(&e, &f)| (f64::from(e) - f).abs()).fold(0.0, f64::max) / scale
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |m: f64, &v| m.max(f64::from(v).abs()))
}

fn assert_map(golden: &Golden, name: &str, found: &Tensor64, tolerance: f64) {
    let expected = golden.map(name);
    assert_eq!(expected.shape, found.shape, "{name}");
    let expected: Vec<f32> = expected.data.iter().map(|&v| v as f32).collect();
    let d = distance(&expected, &found.data, largest(&expected));
    assert!(d < tolerance, "{name}: {d:e}");
}

/// What the files were rounded to.
const F32: f64 = 2e-7;

fn check_reference(file: &str, config: NetConfig) {
    let golden = Golden::read(file, config);
    let state = State64::from(&golden.state);
    let eval = |name: &str| {
        let input = golden.map(name);
        forward(&golden.graph(&input), &state, &input, Mode::Eval).outputs()
    };
    for (i, output) in eval("input").iter().enumerate() {
        assert_map(&golden, &format!("eval.{i}"), output, F32);
    }
    assert_map(&golden, "eval32.0", &eval("input32")[0], F32);

    let input = golden.map("input");
    let graph = golden.graph(&input);
    let trace = forward(&graph, &state, &input, Mode::Train);
    for (i, output) in trace.outputs().iter().enumerate() {
        assert_map(&golden, &format!("train.{i}"), output, F32);
    }
    assert!(distance(&golden.entry("running").values, &trace.statistics, 1.0) < F32, "{file}");

    let (value, output_gradients) = loss(&trace.outputs(), &golden.labels(), &golden.loss()).unwrap();
    assert!(distance(&golden.entry("loss").values, &[value], value) < F32, "{file}: {value}");
    let gradients = backward(&graph, &state, &trace, &output_gradients);
    let expected = &golden.entry("grad").values;
    let mut at = 0;
    for (name, found) in golden.kept_gradients(&gradients.values) {
        let expected = &expected[at..at + found.len()];
        at += found.len();
        // A bias before a batch norm has no effect: its gradient is nothing but rounding.
        let d = distance(expected, &found, largest(expected).max(1e-6));
        assert!(d < F32, "{file}: gradient of {name}: {d:e}");
    }
    assert_eq!(at, expected.len());
}

fn config(name: &str, classes: usize, width: usize) -> NetConfig {
    NetConfig { width, ..NetConfig::new(name, 3, classes).unwrap() }
}

#[test]
fn unet_is_pytorchs() {
    check_reference("unet", config("unet", 3, 4));
}

#[test]
fn unet_bilinear_is_pytorchs() {
    check_reference("unet-bilinear", config("unet-bilinear", 3, 4));
}

#[test]
fn u2net_is_pytorchs() {
    check_reference("u2net", config("u2net", 2, 4));
}

#[test]
fn u2net_lite_is_pytorchs() {
    check_reference("u2net-lite", config("u2net-lite", 2, 8));
}

#[test]
fn segnet_is_pytorchs() {
    check_reference("segnet", config("segnet", 3, 4));
}

#[test]
fn segnet_with_a_dense_head_is_pytorchs() {
    check_reference("segnet-dense", NetConfig { head: Some(Head::Dense), ..config("segnet", 3, 4) });
}
