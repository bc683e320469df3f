//! The model around the operations.

use crate::layout::image;
use crate::proto::{
    DataType, DimensionProto, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::structure::{build_for_all_sizes, keeps_input_size, needed};
use crate::writer::Writer;
use crate::{OPSETS, OnnxError, Options, OutputFunction, StateMismatch, attributes, ops};
use dapple_graph::{Graph, Network, NodeId, Op, State, fold::fold_batch_norm};
use prost::Message;

/// Name of the image batch.
const INPUT: &str = "input";

/// Name of the primary output with [`Options::probabilities`].
const PROBABILITIES: &str = "probabilities";

/// Protocol buffers end here.
const MAX_BYTES: usize = 1 << 31;

/// Writes a network with its weights as the content of an ONNX file; see the crate for what it takes and gives. The
/// same network always gives the same bytes.
///
/// # Errors
/// [`OnnxError`]: for an opset outside of [`OPSETS`], a state of another network, a network without outputs or one
/// whose operations depend on the size of its input, and for more than 2 GiB.
pub fn export(network: &dyn Network, state: &State, options: &Options) -> Result<Vec<u8>, OnnxError> {
    export_graph(&build_for_all_sizes(network)?, state, options)
}

/// As [`export`], for a graph whose operations the caller knows to be the same for all sizes of the input; that which
/// it was built for is not in the file.
///
/// # Errors
/// As [`export`].
pub fn export_graph(graph: &Graph, state: &State, options: &Options) -> Result<Vec<u8>, OnnxError> {
    if !OPSETS.contains(&options.opset) {
        return Err(OnnxError::Opset(options.opset));
    }
    check_state(graph, state)?;
    let model = if options.fold_batch_norm {
        let (graph, state) = fold_batch_norm(graph, state)?;
        model(&graph, &state, options)?
    } else {
        model(graph, state, options)?
    };
    let len = model.encoded_len();
    if len >= MAX_BYTES {
        return Err(OnnxError::TooLarge(len));
    }
    Ok(model.encode_to_vec())
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

fn model(graph: &Graph, state: &State, options: &Options) -> Result<ModelProto, OnnxError> {
    let outputs = match (graph.outputs(), options.all_outputs) {
        ([], _) => return Err(OnnxError::NoOutput),
        (all, true) => all,
        (all, false) => &all[..1],
    };
    let mut w = Writer::new(graph, state, options.opset, INPUT);
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
        let value = image(&mut w, *id);
        let name = match options.probabilities {
            Some(kind) if index == 0 => {
                let probabilities = probabilities(&mut w, &value, kind);
                w.declare_output(&probabilities, PROBABILITIES);
                PROBABILITIES
            }
            _ => {
                w.declare_output(&value, name);
                name
            }
        };
        described.push(value_info(name, graph.shape(*id).c, keeps[id.0]));
    }
    let graph = GraphProto {
        node: w.nodes,
        name: Some("dapple".into()),
        initializer: w.initializers,
        input: vec![value_info(INPUT, graph.shape(graph.input()).c, true)],
        output: described,
    };
    let metadata = options
        .metadata
        .iter()
        .map(|(key, value)| StringStringEntryProto { key: Some(key.clone()), value: Some(value.clone()) });
    Ok(ModelProto {
        ir_version: Some(ir_version(options.opset)),
        producer_name: Some("dapple".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(options.opset) }],
        metadata_props: metadata.collect(),
    })
}

fn probabilities(w: &mut Writer, logits: &str, kind: OutputFunction) -> String {
    w.enter(PROBABILITIES);
    match kind {
        OutputFunction::Softmax => w.emit("Softmax", &[logits], vec![attributes::int("axis", 1)]),
        OutputFunction::Sigmoid => w.emit("Sigmoid", &[logits], Vec::new()),
    }
}

/// The version of the file format that came with an operator set (`docs/Versioning.md` of ONNX).
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        _ => 10,
    }
}

/// A batch of maps `[batch, channels, height, width]`; height and width are named where they are the input's.
fn value_info(name: &str, channels: usize, input_size: bool) -> ValueInfoProto {
    let named = |name: &str| DimensionProto { dim_param: Some(name.into()), dim_value: None };
    let side = |name: &str| if input_size { named(name) } else { DimensionProto::default() };
    let channels = DimensionProto { dim_value: Some(channels as i64), dim_param: None };
    let shape = TensorShapeProto { dim: vec![named("batch"), channels, side("height"), side("width")] };
    let tensor_type = TensorTypeProto { elem_type: Some(DataType::Float as i32), shape: Some(shape) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
