//! Errors of building a graph.

use crate::Shape;
use dapple_base::InputFault;

/// An operation that does not fit its inputs, found while the graph is built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// Two inputs of one operation disagree.
    #[error("{op} `{name}`: {left} and {right} do not fit: {why}")]
    Mismatch {
        /// Kind of operation.
        op: &'static str,
        /// Name of the node.
        name: String,
        /// Shape of the first input.
        left: Shape,
        /// Shape of the other input.
        right: Shape,
        /// The condition that they break.
        why: &'static str,
    },
    /// An input is unsuitable by itself, for instance smaller than a kernel.
    #[error("{op} `{name}`: input {shape}: {why}")]
    Invalid {
        /// Kind of operation.
        op: &'static str,
        /// Name of the node.
        name: String,
        /// Shape of the input.
        shape: Shape,
        /// The problem, and the way out.
        why: String,
    },
    /// Two parameters of one name.
    #[error("parameter `{0}` is defined twice")]
    DuplicateParameter(String),
    /// A node id that is not of this graph.
    #[error("node {0} is not in this graph")]
    UnknownNode(usize),
    /// A network's settings make no sense.
    #[error("{0}")]
    Config(String),
}

impl InputFault for GraphError {
    fn is_input_fault(&self) -> bool {
        true
    }
}
