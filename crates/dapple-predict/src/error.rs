//! What can go wrong while predicting, said so that the reader can act on it.

use std::io;
use std::path::{Path, PathBuf};

use dapple_base::WriteError;
use dapple_data::DataError;
use dapple_report::ReportError;
use dapple_train::TrainError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The model, the engine, or an image.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Settings that contradict each other, the models or the image.
    #[error("{0}")]
    Settings(String),
    /// The user stopped it.
    #[error("stopped before it was done; nothing of it is written")]
    Stopped,
    /// A file that cannot be used as it is.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A result that could not be written.
    #[error("the {what} cannot be written: {source}; check the folder, its permissions and the free space")]
    Write {
        /// What was being written.
        what: &'static str,
        /// What the operating system or the encoder said.
        source: io::Error,
    },
    /// A program that dapple started did not do what it should.
    #[error("{program}: {problem}")]
    Program {
        /// The program.
        program: String,
        /// What happened and what to do.
        problem: String,
    },
}

impl From<WriteError> for PredictError {
    fn from(error: WriteError) -> Self {
        Self::Train(error.into())
    }
}

impl From<DataError> for PredictError {
    fn from(error: DataError) -> Self {
        Self::Train(error.into())
    }
}

impl From<ReportError> for PredictError {
    fn from(error: ReportError) -> Self {
        Self::Train(error.into())
    }
}

impl PredictError {
    /// Whether the user's input is at fault: an image, settings, a file given. Otherwise the machine or the program is.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Train(error) => error.is_users(),
            Self::Settings(_) | Self::BadFile { .. } | Self::Program { .. } => true,
            Self::Stopped | Self::Write { .. } => false,
        }
    }

    pub(crate) fn bad_file(path: &Path, problem: impl Into<String>) -> Self {
        Self::BadFile { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn write(what: &'static str, error: impl Into<io::Error>) -> Self {
        Self::Write { what, source: error.into() }
    }
}
