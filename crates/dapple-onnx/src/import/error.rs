//! Errors of reading a foreign ONNX model.

use super::opsets::READ_OPSETS;
use dapple_base::InputFault;
use std::fmt;

/// A node that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The operator, with its domain where it is not the standard's.
    pub operator: String,
    /// The node's name, or that of its first output.
    pub node: String,
    /// The reason.
    pub why: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: {}", self.operator, self.node.escape_debug(), self.why)
    }
}

/// An ONNX model that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is damaged, or not such a model.
    #[error("{0}")]
    File(String),
    /// An operator set that is not read.
    #[error("opset {0} is not read; {start} to {end} are", start = READ_OPSETS.start(), end = READ_OPSETS.end())]
    Opset(i64),
    /// Operators that cannot be read, all of them.
    #[error("{} of its nodes cannot be read:{}", .0.len(), listed(.0))]
    Nodes(Vec<Unread>),
    /// The layout of the input is not known.
    #[error("its input {0} does not say where the channels are; give --layout nchw or --layout nhwc")]
    Layout(String),
    /// The channels of the input are not known.
    #[error(
        "its input {0} does not say how many channels an image has; a network for 1 to 64 channels is read"
    )]
    Channels(String),
    /// A size that the file does not take.
    #[error("it takes images of {height} x {width} pixels only")]
    Size {
        /// Height.
        height: usize,
        /// Width.
        width: usize,
    },
    /// Another size makes other parameters.
    #[error(
        "at {0} x {1} pixels, the constants of the network are others; use it at the size it was read for"
    )]
    DependsOnSize(usize, usize),
    /// The output is no map of logits.
    #[error("output `{0}`: {1}")]
    Output(String, String),
}

/// The nodes, one a line; of many of one kind the first, with their number.
fn listed(nodes: &[Unread]) -> String {
    const MOST: usize = 40;
    let lines = nodes.iter().take(MOST).map(|node| format!("\n  {node}"));
    let more = nodes.len().saturating_sub(MOST);
    let rest = (more > 0).then(|| format!("\n  and {more} more"));
    lines.chain(rest).collect()
}

impl InputFault for ImportError {
    fn is_input_fault(&self) -> bool {
        true
    }
}
