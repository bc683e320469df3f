//! Reading models of other programs: our own files back, patterns of exporters by hand, and files that cannot be read.

mod patterns;
mod refused;
mod round_trip;
mod standard;

use dapple_graph::{Graph, Mode, Network, Shape, State, Tensor};
use dapple_onnx::proto::{
    AttributeProto, AttributeType, DataType, DimensionProto, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use dapple_onnx::{ImportError, ImportOptions, Imported, OnnxFile};
use dapple_reference::{State64, Tensor64, forward};
use prost::Message;

/// The first output of a graph for an input.
pub fn logits(graph: &Graph, state: &State, input: &Tensor) -> Tensor64 {
    let trace = forward(graph, &State64::from(state), &Tensor64::from(input), Mode::Eval);
    trace.outputs().swap_remove(0)
}

/// A model that is read for images of this height and width.
pub fn read(bytes: &[u8], size: [usize; 2]) -> Result<Imported, ImportError> {
    let layout = Some(dapple_onnx::Layout::Nchw);
    OnnxFile::from_bytes(bytes)?.import(&ImportOptions {
        size: Some(size),
        layout,
        ..ImportOptions::default()
    })
}

/// The result of a model for an image.
pub fn result(bytes: &[u8], input: &Tensor) -> Tensor64 {
    let Imported { network, state, .. } =
        read(bytes, [input.shape.h, input.shape.w]).unwrap_or_else(|error| panic!("{error}"));
    let graph = network.build(input.shape).unwrap_or_else(|error| panic!("{error}"));
    logits(&graph, &state, input)
}

/// A node without attributes.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NodeProto {
        input: owned(inputs),
        output: owned(outputs),
        name: Some(format!("node of {}", outputs[0])),
        op_type: Some(op.to_owned()),
        ..NodeProto::default()
    }
}

/// A node with more attributes.
pub fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.attribute.extend(attributes);
    node
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..named(name, AttributeType::Int) }
}

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..named(name, AttributeType::Ints) }
}

pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..named(name, AttributeType::Float) }
}

pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.as_bytes().to_vec()), ..named(name, AttributeType::String) }
}

pub fn branch(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { g: Some(graph), ..named(name, AttributeType::Graph) }
}

fn named(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(kind as i32), ..AttributeProto::default() }
}

/// Constants of fractions, in the fields of the message.
pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        name: Some(name.to_owned()),
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// Constants of whole numbers.
pub fn whole(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        name: Some(name.to_owned()),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// Constants of signed bytes.
pub fn bytes(name: &str, dims: &[i64], kind: DataType, values: &[i32]) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type: Some(kind as i32),
        name: Some(name.to_owned()),
        int32_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// The graph of a branch.
pub fn graph(nodes: Vec<NodeProto>, output: &str) -> GraphProto {
    let output = ValueInfoProto { name: Some(output.to_owned()), r#type: None };
    GraphProto { node: nodes, output: vec![output], ..GraphProto::default() }
}

/// A file with the input `x` of these sides, 0 for any, and the output `y`.
pub fn file(opset: i64, sides: [i64; 4], nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    let side = |&side: &i64| DimensionProto { dim_value: (side > 0).then_some(side), dim_param: None };
    let shape = TensorShapeProto { dim: sides.iter().map(side).collect() };
    let tensor = TensorTypeProto { elem_type: Some(DataType::Float as i32), shape: Some(shape) };
    let input =
        ValueInfoProto { name: Some("x".to_owned()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) };
    let graph = GraphProto { initializer: constants, input: vec![input], ..graph(nodes, "y") };
    let sets = vec![OperatorSetIdProto { domain: None, version: Some(opset) }];
    ModelProto { graph: Some(graph), opset_import: sets, ..ModelProto::default() }.encode_to_vec()
}

/// An image whose values count up.
pub fn counting(h: usize, w: usize, c: usize) -> Tensor {
    let shape = Shape::new(1, h, w, c);
    Tensor::new(shape, (0..shape.len()).map(|value| value as f32).collect())
}

/// The values of a result, rounded off.
pub fn values(result: &Tensor64) -> Vec<f32> {
    result.data.iter().map(|&value| (value * 1e4).round() as f32 / 1e4).collect()
}
