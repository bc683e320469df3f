//! Errors of prediction, worded so that the reader can act on them.

use std::io;
use std::path::{Path, PathBuf};

use dapple_base::{InputFault, Panicked, PartsFault, WriteError};
use dapple_data::DataError;
use dapple_model::ModelError;
use dapple_report::ReportError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The model, the engine, or an image.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Settings that contradict each other, the models or the image.
    #[error("{0}")]
    Settings(String),
    /// Stopped by the user.
    #[error("stopped before it was complete; nothing of it is written")]
    Stopped,
    /// A file that cannot be used as it is.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem and its cure.
        problem: String,
    },
    /// Shares of a collection that do not make a whole.
    #[error(transparent)]
    Parts(#[from] PartsFault),
    /// A file or folder of the results that could not be written.
    #[error(transparent)]
    File(#[from] WriteError),
    /// A picture that could not be drawn.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A result that could not be written.
    #[error("the {what} cannot be written: {source}; check the folder, its permissions and the free space")]
    Write {
        /// The kind of result.
        what: &'static str,
        /// The reason, from the operating system or the encoder.
        source: io::Error,
    },
    /// A failure of a program that dapple started.
    #[error("{program}: {problem}")]
    Program {
        /// The program.
        program: String,
        /// The problem and its cure.
        problem: String,
    },
    /// A file that some code of this program, or of a library in it, panicked on.
    #[error(
        "{}: the program failed on this file: {source}; this is a bug in dapple or in a library that it uses: please report \
         it with the file",
        path.display()
    )]
    Crashed {
        /// The file.
        path: PathBuf,
        /// The panic.
        source: Panicked,
    },
    /// A thread that panicked.
    #[error(
        "{0} panicked: this is a bug in dapple, not in your input; please report it with the message above"
    )]
    Panicked(&'static str),
}

impl From<DataError> for PredictError {
    fn from(error: DataError) -> Self {
        Self::Model(error.into())
    }
}

impl InputFault for PredictError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Model(error) => error.is_input_fault(),
            Self::Settings(_) | Self::BadFile { .. } | Self::Parts(_) | Self::Program { .. } => true,
            Self::Stopped
            | Self::Write { .. }
            | Self::File(_)
            | Self::Report(_)
            | Self::Crashed { .. }
            | Self::Panicked(_) => false,
        }
    }
}

impl PredictError {
    pub(crate) fn bad_file(path: &Path, problem: impl Into<String>) -> Self {
        Self::BadFile { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn write(what: &'static str, error: impl Into<io::Error>) -> Self {
        Self::Write { what, source: error.into() }
    }
}
