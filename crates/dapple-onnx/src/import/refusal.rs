//! The reason why a node cannot be read.

use dapple_graph::GraphError;

/// The reason why a node cannot be read, in words that follow its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub String);

impl From<GraphError> for Refusal {
    fn from(error: GraphError) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A refusal as an error.
pub(crate) fn refuse<T>(why: impl Into<Refusal>) -> Result<T, Refusal> {
    Err(why.into())
}
