//! Errors of the studio.

use std::path::PathBuf;

use dapple_base::{InputFault, LockError, WriteError};
use dapple_data::DataError;
use dapple_graph::EngineError;
use dapple_nets::checkpoint::CheckpointError;
use dapple_predict::PredictError;
use dapple_run::RunError;
use dapple_serve::ServeError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudioError {
    /// Something that the person can mend, with the way to do so.
    #[error("{0}")]
    Refused(String),
    /// There is no such image, run or class.
    #[error("{0}")]
    Unknown(String),
    /// A name or the processor that something else has already.
    #[error("{0}")]
    Taken(String),
    /// A mask has another revision than the one that a change was made from.
    #[error(
        "the mask has changed since it was shown; its revision is {0}. Load it again, and repeat the change"
    )]
    Stale(u64),
    /// An image or a data set.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file or folder could not be read.
    #[error("{}: cannot be read: {source}; check that it exists and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file or folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Another process has the folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The page cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The weights of an encoder.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A training.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A prediction of a trained model.
    #[error(transparent)]
    Predict(#[from] PredictError),
}

impl InputFault for StudioError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Unknown(_) | Self::Taken(_) | Self::Stale(_) => true,
            Self::Data(error) => error.is_input_fault(),
            Self::Read { .. } => true,
            Self::Write(error) => error.is_input_fault(),
            Self::Lock(error) => error.is_input_fault(),
            Self::Serve(error) => error.is_input_fault(),
            Self::Engine(error) => error.is_input_fault(),
            Self::Weights(error) => error.is_input_fault(),
            Self::Run(error) => error.is_input_fault(),
            Self::Predict(error) => error.is_input_fault(),
        }
    }
}

impl StudioError {
    /// Something that the person can mend.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, StudioError>;
