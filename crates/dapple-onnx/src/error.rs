//! What can keep a graph from becoming an ONNX model.

use crate::OPSETS;
use dapple_graph::GraphError;

/// A graph that cannot be written as an ONNX model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The network cannot be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An operator set that is not written.
    #[error("opset {0} is not written; give one from {start} to {end}", start = OPSETS.start(), end = OPSETS.end())]
    Opset(i64),
    /// The state is of another network.
    #[error("the weights are not those of this network: {0}")]
    State(String),
    /// The network declares no output.
    #[error("the network has no output")]
    NoOutput,
    /// The network computes something else for another input size, so that no one model is right for all.
    #[error("the network's operations depend on the size of the input: {0}; it cannot be exported")]
    DependsOnSize(String),
    /// Protocol buffers end at 2 GiB.
    #[error("the model has {0} bytes; an ONNX file holds at most 2 GiB")]
    TooLarge(usize),
}
