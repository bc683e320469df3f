//! Errors of writing a graph as an ONNX model.

use crate::OPSETS;
use crate::preprocessing::OPSET;
use dapple_base::InputFault;
use dapple_graph::GraphError;

/// A graph that cannot be written as an ONNX model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The network cannot be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An operator set that is not written.
    #[error("opset {0} is not written; give one from {start} to {end}", start = OPSETS.start(), end = OPSETS.end())]
    Opset(i64),
    /// An operator set without the resizing that preprocessing needs.
    #[error("preprocessing needs opset {needed} or newer, whose resizing averages; opset {0} is asked for", needed = OPSET)]
    PreprocessingOpset(i64),
    /// Integers of a network that has none.
    #[error("the network is not quantized, so that there are no integers to write; quantize the model first")]
    NotQuantized,
    /// The state is of another network.
    #[error("the weights are not those of this network: {0}")]
    State(StateMismatch),
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

/// The difference between a state and its network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateMismatch {
    /// Another number of parameters.
    #[error("it has {network} parameters, {given} are given")]
    Count {
        /// Parameters of the network.
        network: usize,
        /// Parameters of the state.
        given: usize,
    },
    /// A parameter of another name, shape or role.
    #[error("`{0}` differs")]
    Parameter(String),
    /// Fewer or more values than the parameters have.
    #[error("another number of values")]
    Values,
}

impl InputFault for OnnxError {
    fn is_input_fault(&self) -> bool {
        true
    }
}
