//! Errors of runs: their folders, files, pictures and trainings.

use std::path::PathBuf;

use dapple_base::{InputFault, LockError, WriteError};
use dapple_data::DataError;
use dapple_graph::EngineError;
use dapple_metrics::MetricsError;
use dapple_model::ModelError;
use dapple_nets::checkpoint::CheckpointError;
use dapple_report::ReportError;
use dapple_train::{RecorderError, TrainError};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The model of a run, on an engine.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The data of a run.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A picture that cannot be drawn or written.
    #[error(transparent)]
    Report(#[from] ReportError),
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
    /// A file of a run that cannot be parsed or does not fit.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem and its cure.
        problem: String,
    },
    /// The folder for a new run holds one already.
    #[error(
        "{}: this folder already holds a run; resume it with --resume, give another folder, or replace it with --force",
        .0.display()
    )]
    RunExists(PathBuf),
    /// The folder for a new run holds something else.
    #[error("{}: this folder is not empty and holds no run; give a new folder", .0.display())]
    NotARun(PathBuf),
    /// Another process writes the run, or its lock cannot be created.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl From<EngineError> for RunError {
    fn from(error: EngineError) -> Self {
        Self::Model(error.into())
    }
}

impl From<MetricsError> for RunError {
    fn from(error: MetricsError) -> Self {
        Self::Model(error.into())
    }
}

impl From<CheckpointError> for RunError {
    fn from(error: CheckpointError) -> Self {
        Self::Model(error.into())
    }
}

impl From<RunError> for RecorderError {
    fn from(error: RunError) -> Self {
        Self::new(error)
    }
}

impl InputFault for RunError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Train(error) => error.is_input_fault(),
            Self::Model(error) => error.is_input_fault(),
            Self::Data(error) => error.is_input_fault(),
            Self::Lock(error) => error.is_input_fault(),
            Self::Read { .. } | Self::BadFile { .. } | Self::RunExists(_) | Self::NotARun(_) => true,
            Self::Report(_) | Self::Write(_) => false,
        }
    }
}
