//! The model around the operations.

use crate::attributes::int;
use crate::layout::image;
use crate::proto::{
    DataType, DimensionProto, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::size::size_of;
use crate::structure::{build_for_all_sizes, keeps_input_size, needed};
use crate::writer::Writer;
use crate::{OPSETS, OnnxError, Options, OutputFunction, StateMismatch, ops, preprocessing, primary};
use dapple_graph::{Graph, Network, NodeId, Op, Quantization, State, fold::fold_batch_norm};
use prost::Message;

/// Name of the network's input.
const INPUT: &str = "input";

/// Name of the image batch with [`Options::preprocessing`].
const IMAGE: &str = "image";

/// Protocol buffers end here.
const MAX_BYTES: usize = 1 << 31;

/// A written model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The content of an ONNX file.
    pub bytes: Vec<u8>,
    /// With [`Options::half`], the names of the weights that stayed in single precision, since half precision does not hold
    /// them: they have values beyond 65504, or are so small as a whole that they would lose their digits.
    pub kept_single: Vec<String>,
    /// The graph's outputs that are not written, without [`Options::all_outputs`].
    pub left_out: Vec<String>,
}

/// Writes a network with its weights as the content of an ONNX file; see the crate for what it takes and gives. The
/// same network always gives the same bytes.
///
/// # Errors
/// [`OnnxError`]: for an opset outside of [`OPSETS`], a state of another network, a network without outputs or one
/// whose operations depend on the size of its input, [`Options::int8`] of a network that is not quantized, and for more than
/// 2 GiB.
pub fn export(network: &dyn Network, state: &State, options: &Options) -> Result<Exported, OnnxError> {
    write(&build_for_all_sizes(network)?, state, options, network.quantization())
}

/// As [`export`], for a graph without quantization whose operations the caller knows to be the same for all sizes of the input;
/// that which it was built for is not in the file.
///
/// # Errors
/// As [`export`].
pub fn export_graph(graph: &Graph, state: &State, options: &Options) -> Result<Exported, OnnxError> {
    write(graph, state, options, None)
}

fn write(
    graph: &Graph,
    state: &State,
    options: &Options,
    quantization: Option<&Quantization>,
) -> Result<Exported, OnnxError> {
    if options.int8 && quantization.is_none() {
        return Err(OnnxError::NotQuantized);
    }
    let quantization = quantization.filter(|_| options.int8);
    if !OPSETS.contains(&options.opset) {
        return Err(OnnxError::Opset(options.opset));
    }
    if options.preprocessing.is_some() && options.opset < preprocessing::OPSET {
        return Err(OnnxError::PreprocessingOpset(options.opset));
    }
    check_state(graph, state)?;
    let written = if options.all_outputs { graph.outputs().len() } else { 1 };
    let left_out = graph.outputs().iter().skip(written).map(|(name, _)| name.clone()).collect();
    let (model, kept_single) = if options.fold_batch_norm {
        let (graph, state) = fold_batch_norm(graph, state)?;
        model(&graph, &state, options, quantization)?
    } else {
        model(graph, state, options, quantization)?
    };
    let len = model.encoded_len();
    if len >= MAX_BYTES {
        return Err(OnnxError::TooLarge(len));
    }
    Ok(Exported { bytes: model.encode_to_vec(), kept_single, left_out })
}

fn check_state(graph: &Graph, state: &State) -> Result<(), OnnxError> {
    let differs =
        || graph.params().iter().zip(&state.specs).find(|(a, b)| a != b).map(|(a, _)| a.name.clone());
    if graph.params().len() != state.specs.len() {
        let (network, given) = (graph.params().len(), state.specs.len());
        return Err(OnnxError::State(StateMismatch::Count { network, given }));
    }
    if let Some(name) = differs() {
        return Err(OnnxError::State(StateMismatch::Parameter(name)));
    }
    if state.values.len() != graph.trainable_len() || state.statistics.len() != graph.statistics_len() {
        return Err(OnnxError::State(StateMismatch::Values));
    }
    Ok(())
}

fn model(
    graph: &Graph,
    state: &State,
    options: &Options,
    quantization: Option<&Quantization>,
) -> Result<(ModelProto, Vec<String>), OnnxError> {
    let outputs = match (graph.outputs(), options.all_outputs) {
        ([], _) => return Err(OnnxError::NoOutput),
        (all, true) => all,
        (all, false) => &all[..1],
    };
    let name = if options.preprocessing.is_some() { IMAGE } else { INPUT };
    let mut w = Writer::new(graph, state, options, quantization, name);
    if let Some(settings) = &options.preprocessing {
        let value = preprocessing::write(&mut w, IMAGE, settings);
        w.set_value(graph.input(), value);
    }
    let needed = needed(graph, outputs);
    for (index, node) in graph.nodes().iter().enumerate() {
        if needed[index] && node.op != Op::Input {
            w.enter(&node.name);
            ops::write(&mut w, NodeId(index), &needed);
        }
    }
    let keeps = keeps_input_size(graph);
    let mut described = Vec::with_capacity(outputs.len());
    for (index, (name, id)) in outputs.iter().enumerate() {
        let (mut value, mut name) = (image(&mut w, *id), name.as_str());
        let (channels, mut has_input_size) = (graph.shape(*id).c, keeps[id.0]);
        // Maps are as large as the network's input, which is not the image's size where that is resized.
        has_input_size &= options.preprocessing.is_none();
        let function = options.function.filter(|_| index == 0);
        if index == 0 {
            let size = match (&options.preprocessing, function) {
                (Some(_), _) => Some(w.emit("Shape", &[IMAGE], vec![int("start", 1), int("end", 3)])),
                (None, Some(OutputFunction::Labels)) if !has_input_size => {
                    Some(size_of(&mut w, graph.input()))
                }
                _ => None,
            };
            has_input_size |= size.is_some();
            value = primary::write(&mut w, &value, channels, size.as_deref(), function);
            name = function.map_or(name, |function| function.name());
        }
        w.declare_output(&value, name);
        described.push(match function {
            Some(OutputFunction::Labels) => labels_info(name),
            _ => maps_info(name, channels, has_input_size),
        });
    }
    let channels = graph.shape(graph.input()).c;
    let input = match options.preprocessing {
        Some(_) => images_info(IMAGE, channels),
        None => maps_info(INPUT, channels, true),
    };
    let graph = GraphProto {
        node: w.nodes,
        name: Some("dapple".into()),
        initializer: w.initializers,
        input: vec![input],
        output: described,
    };
    let metadata = options
        .metadata
        .iter()
        .map(|(key, value)| StringStringEntryProto { key: Some(key.clone()), value: Some(value.clone()) });
    let model = ModelProto {
        ir_version: Some(ir_version(options.opset)),
        producer_name: Some("dapple".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(options.opset) }],
        metadata_props: metadata.collect(),
    };
    Ok((model, w.kept_single))
}

/// The version of the file format that came with an operator set (`docs/Versioning.md` of ONNX).
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        _ => 10,
    }
}

fn named(name: &str) -> DimensionProto {
    DimensionProto { dim_param: Some(name.into()), dim_value: None }
}

fn number(value: usize) -> DimensionProto {
    DimensionProto { dim_value: Some(value as i64), dim_param: None }
}

/// A batch of maps `[batch, channels, height, width]`; height and width are named where they are the input's.
fn maps_info(name: &str, channels: usize, has_input_size: bool) -> ValueInfoProto {
    let side = |name: &str| if has_input_size { named(name) } else { DimensionProto::default() };
    info(name, DataType::Float, vec![named("batch"), number(channels), side("height"), side("width")])
}

/// A batch of images `[batch, height, width, channels]`.
fn images_info(name: &str, channels: usize) -> ValueInfoProto {
    info(name, DataType::Uint8, vec![named("batch"), named("height"), named("width"), number(channels)])
}

/// A batch of label maps `[batch, height, width]`.
fn labels_info(name: &str) -> ValueInfoProto {
    info(name, DataType::Uint8, vec![named("batch"), named("height"), named("width")])
}

fn info(name: &str, kind: DataType, dim: Vec<DimensionProto>) -> ValueInfoProto {
    let shape = Some(TensorShapeProto { dim });
    let tensor_type = TensorTypeProto { elem_type: Some(kind as i32), shape };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
