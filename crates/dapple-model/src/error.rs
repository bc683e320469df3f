//! Errors of loading, running and evaluating a model.

use dapple_base::{InputFault, RanksError};
use dapple_data::DataError;
use dapple_graph::{EngineError, GraphError};
use dapple_metrics::MetricsError;
use dapple_nets::checkpoint::CheckpointError;

/// An error of loading, running or evaluating a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// An image, a mask or a setting of the input.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A model file that cannot be read or is not a model.
    #[error(transparent)]
    Checkpoint(Box<CheckpointError>),
    /// A network that does not fit the input size.
    #[error(transparent)]
    Graph(Box<GraphError>),
    /// The engine.
    #[error(transparent)]
    Engine(Box<EngineError>),
    /// Label maps that cannot be scored.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The ranks that evaluate together cannot go on.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// A model that cannot be quantized.
    #[error("{0}")]
    Quantization(String),
}

/// Large errors are boxed, so that results stay small.
macro_rules! box_errors {
    ($($variant:ident: $error:ty),*) => {
        $(impl From<$error> for ModelError {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })*
    };
}

box_errors!(Checkpoint: CheckpointError, Graph: GraphError, Engine: EngineError);

impl InputFault for ModelError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Data(error) => error.is_input_fault(),
            Self::Checkpoint(error) => error.is_input_fault(),
            Self::Engine(error) => error.is_input_fault(),
            Self::Ranks(error) => error.is_input_fault(),
            Self::Graph(_) | Self::Metrics(_) | Self::Quantization(_) => true,
        }
    }
}
