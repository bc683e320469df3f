//! Writes models as ONNX files with images and what dapple makes of them, for `tests/check_onnx.py`:
//!
//!     cargo run --release -p dapple-onnx --example check_files -- FOLDER [PART-OF-NAME]
//!
//! - `networks/NAME/`: every network of the registry (those with this in their names), narrow, with random weights, in
//!   several forms. The weights stand beside it under their published names (`weights.safetensors`).
//! - `graphs/KIND-SEED/`: random graphs of single operations and of many.
//!
//! Dapple's own results are computed by the `f64` interpreter, which all its engines are compared with.
//! `int8.onnx` is the network quantized to the ranges of one image; its results are those of the reference with rounded
//! numbers,
//! `CASE.int8`.
//! Each folder has the forms as `FORM.onnx` and `cases.safetensors` with `CASE.input`, `CASE.OUTPUT` and, for the
//! form with probabilities, `CASE.probabilities`, all channels-first.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use dapple_graph::{Affine, Graph, Mode, Network, Op, Quantization, Shape, State, Tensor};
use dapple_nets::checkpoint::{published, write_state_dict};
use dapple_nets::registry::{NetworkEntry, networks};
use dapple_nets::{Activation, NetConfig};
use dapple_onnx::{OPSETS, Options, OutputFunction, export, export_graph};
use dapple_reference::random::{self, OPERATIONS, RandomNetwork};
use dapple_reference::{State64, Tensor64, forward, forward_quantized};
use safetensors::tensor::{Dtype, TensorView};

/// Random graphs of one operation of each kind, and of many.
const GRAPHS_PER_KIND: u64 = 8;

/// First stage's width of the networks that are compared.
const NARROW: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("give a folder")?;
    let part = arguments.next().unwrap_or_default();
    let folder = Path::new(&folder);
    for entry in networks().iter().filter(|entry| entry.name.contains(&part)) {
        write_network(&folder.join("networks").join(&entry.name), entry)
            .map_err(|error| format!("{}: {error}", entry.name))?;
    }
    for seed in 0..GRAPHS_PER_KIND * OPERATIONS {
        let (graph, description) = random::operation(seed);
        let network = RandomNetwork { graph, description };
        write_graph(&folder.join(format!("graphs/operation-{seed}")), &network, seed)?;
    }
    for seed in 0..GRAPHS_PER_KIND * OPERATIONS {
        write_graph(&folder.join(format!("graphs/network-{seed}")), &random::network(seed), seed)?;
    }
    Ok(())
}

fn write_network(folder: &Path, entry: &NetworkEntry) -> Result<(), Box<dyn Error>> {
    // One logit and several, by turns.
    let classes = if entry.activation == Activation::Sigmoid { 2 } else { 3 };
    let config = NetConfig { width: NARROW, ..NetConfig::new(&entry.name, 3, classes)? };
    let state = lively_state(&config, entry.smallest)?;
    fs::create_dir_all(folder)?;

    let kind = match config.activation {
        Activation::Softmax => OutputFunction::Softmax,
        Activation::Sigmoid => OutputFunction::Sigmoid,
    };
    let newest = *OPSETS.end();
    let forms = [
        ("logits", Options::default()),
        ("newest", Options { opset: newest, ..Options::default() }),
        ("all", Options { all_outputs: true, fold_batch_norm: false, ..Options::default() }),
        ("probabilities", Options { function: Some(kind), ..Options::default() }),
    ];
    for (form, options) in forms {
        fs::write(folder.join(form).with_extension("onnx"), export(&config, &state, &options)?.bytes)?;
    }
    let quantization = quantization_of(&config, &state, entry.smallest)?;
    let (rounded, quantized) = (
        quantization.rounded(&state),
        NetConfig { quantization: Some(quantization.clone()), ..config.clone() },
    );
    let int8 = export(&quantized, &rounded, &Options { int8: true, ..Options::default() })?;
    fs::write(folder.join("int8.onnx"), int8.bytes)?;
    fs::write(folder.join("weights.safetensors"), write_state_dict(&published(&config, &state)?)?)?;

    let side = entry.smallest.max(32);
    let sizes = [(1, 2 * side, side), (2, side + 5, side + 21), (1, side + 33, side)];
    let (state, rounded) = (State64::from(&state), State64::from(&rounded));
    let mut tensors = Vec::new();
    for (case, (n, h, w)) in sizes.into_iter().enumerate() {
        let input = random::tensor(Shape::new(n, h, w, 3), case as u64);
        let graph = config.build(input.shape)?;
        let trace = forward(&graph, &state, &Tensor64::from(&input), Mode::Eval);
        let outputs: Vec<Tensor> = trace.outputs().iter().map(Tensor64::to_f32).collect();
        tensors.push(channels_first(format!("{case}.input"), &input));
        for ((name, _), output) in graph.outputs().iter().zip(&outputs) {
            tensors.push(channels_first(format!("{case}.{name}"), output));
        }
        let int8 = forward_quantized(&graph, &rounded, &Tensor64::from(&input), &quantization);
        tensors.push(channels_first(format!("{case}.int8"), &int8.outputs()[0].to_f32()));
        tensors.push(channels_first(format!("{case}.probabilities"), &probabilities(&outputs[0], kind)));
    }
    save(&folder.join("cases.safetensors"), tensors)
}

/// The quantization of all convolutions to the ranges of what they read for one image.
fn quantization_of(config: &NetConfig, state: &State, side: usize) -> Result<Quantization, Box<dyn Error>> {
    let shape = Shape::new(1, side.max(32), side.max(32), 3);
    let graph = config.build(shape)?;
    let image = Tensor64::from(&random::tensor(shape, 0));
    let trace = forward(&graph, &State64::from(state), &image, Mode::Eval);
    let mut quantization = Quantization::default();
    for node in graph.nodes() {
        if let Some(weight) = Quantization::weight_of(&graph, node) {
            let values = trace.values[node.inputs[0].0].data.iter();
            let (low, high) = values.fold((0.0f64, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
            let affine = Affine::of_range(low as f32, high as f32);
            quantization.inputs.insert(graph.param(weight).name.clone(), affine);
        }
    }
    Ok(quantization)
}

/// Random weights with which the output depends on the image: in a narrow network without normalization all ReLUs of a
/// layer may happen to be dead.
fn lively_state(config: &NetConfig, side: usize) -> Result<State, Box<dyn Error>> {
    let shape = Shape::new(1, side.max(32), side.max(32), 3);
    let graph = config.build(shape)?;
    let image = Tensor64::from(&random::tensor(shape, 0));
    for seed in 1..=100 {
        let state = random::state(&graph, seed);
        let trace = forward(&graph, &State64::from(&state), &image, Mode::Eval);
        let logits = &trace.outputs()[0];
        let first: Vec<f64> = logits.data.iter().step_by(logits.shape.c).copied().collect();
        let (low, high) = first.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        if high - low > 0.05 * high.abs().max(low.abs()) {
            return Ok(state);
        }
    }
    Err("no random weights make the output depend on the image".into())
}

/// From the definitions.
fn probabilities(logits: &Tensor, kind: OutputFunction) -> Tensor {
    let pixel = |logits: &[f32]| -> Vec<f32> {
        let exp: Vec<f64> = logits.iter().map(|&v| f64::from(v).exp()).collect();
        let sum: f64 = exp.iter().sum();
        exp.iter()
            .map(|e| if kind == OutputFunction::Softmax { e / sum } else { e / (1.0 + e) } as f32)
            .collect()
    };
    Tensor::new(logits.shape, logits.data.chunks_exact(logits.shape.c).flat_map(pixel).collect())
}

fn write_graph(folder: &Path, network: &RandomNetwork, seed: u64) -> Result<(), Box<dyn Error>> {
    let graph = &network.graph;
    let state = random::state(graph, seed);
    let drawn = network.example_input();
    let mut tensors = Vec::new();
    for (case, (n, h, w)) in [(0, 0, 0), (1, 3, 8), (0, 11, 1), (2, 0, 20)].into_iter().enumerate() {
        let shape = Shape::new(drawn.n + n, drawn.h + h, drawn.w + w, drawn.c);
        // Maps that agree at the drawn size only cannot be joined at others.
        let Ok(graph) = network.build(shape) else { continue };
        if let Some(outputs) = interpret(&graph, &state, shape, seed) {
            let (input, outputs) = outputs;
            tensors.push(channels_first(format!("{case}.input"), &input));
            for ((name, _), output) in graph.outputs().iter().zip(&outputs) {
                tensors.push(channels_first(format!("{case}.{name}"), &output.to_f32()));
            }
        }
    }
    if tensors.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("description.txt"), &network.description)?;
    let opset = OPSETS.start() + seed as i64 % (OPSETS.end() - OPSETS.start() + 1);
    let options =
        Options { opset, all_outputs: true, fold_batch_norm: seed.is_multiple_of(2), ..Options::default() };
    fs::write(folder.join("all.onnx"), export_graph(graph, &state, &options)?.bytes)?;
    save(&folder.join("cases.safetensors"), tensors)
}

/// The image and the outputs; nothing where rounding alone could move an unpooled value.
fn interpret(graph: &Graph, state: &State, shape: Shape, seed: u64) -> Option<(Tensor, Vec<Tensor64>)> {
    let input = random::tensor(shape, seed);
    let trace = forward(graph, &State64::from(state), &Tensor64::from(&input), Mode::Eval);
    let unpools = graph.nodes().iter().any(|node| matches!(node.op, Op::MaxUnpool { .. }));
    (!unpools || trace.margin() > 1e-5).then(|| (input, trace.outputs()))
}

type Named = (String, Vec<usize>, Vec<f32>);

fn channels_first(name: String, tensor: &Tensor) -> Named {
    let Shape { n, h, w, c } = tensor.shape;
    let mut data = Vec::with_capacity(tensor.data.len());
    for image in tensor.data.chunks_exact(h * w * c) {
        for channel in 0..c {
            data.extend(image.iter().skip(channel).step_by(c));
        }
    }
    (name, vec![n, c, h, w], data)
}

fn save(path: &Path, tensors: Vec<Named>) -> Result<(), Box<dyn Error>> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, data)| (name, shape, data.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, shape, data)| {
        TensorView::new(Dtype::F32, shape.clone(), data).map(|view| (name.as_str(), view))
    });
    let views = views.collect::<Result<HashMap<_, _>, _>>()?;
    Ok(fs::write(path, safetensors::serialize(views, None)?)?)
}
