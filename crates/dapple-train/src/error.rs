//! Errors of a training, worded so that the reader can act on them.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use dapple_base::{InputFault, RanksError, WriteError};
use dapple_data::DataError;
use dapple_graph::{EngineError, GraphError};
use dapple_metrics::MetricsError;
use dapple_model::ModelError;
use dapple_nets::ConfigError;
use dapple_nets::checkpoint::CheckpointError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data or a file of the run.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Settings of a network that are not valid.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// A model file, or weights to start from.
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
    /// A model: weights to start from, or the best model so far.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ranks of the training cannot go on together.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// The recorder of the training.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// A file or folder could not be read.
    #[error("{}: cannot be read: {source}; check that it exists and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file or folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file of a run that cannot be parsed or does not fit.
    #[error("{}: {problem}", path.display())]
    BadRunFile {
        /// The file.
        path: PathBuf,
        /// The problem and its remedy.
        problem: String,
    },
    /// Settings that contradict each other or the data.
    #[error("{0}")]
    Config(String),
    /// The training diverged: NaN or infinite loss, gradient or weights, or a loss so large that nothing can be learned.
    #[error("{0}")]
    NotFinite(Box<NotFinite>),
}

/// The value that ended a training.
#[derive(Clone, Debug, PartialEq)]
pub struct NotFinite {
    /// The quantity: `loss`, `gradient` or `weights`.
    pub what: &'static str,
    /// Its value.
    pub value: f64,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The batch in the epoch, from 1.
    pub batch: usize,
    /// The images of the batch, or of all batches of the step where no single one is at fault.
    pub names: Vec<String>,
    /// The first place with a NaN or infinite value; absent if running the batch again found none.
    pub place: Option<String>,
    /// The checkpoint with the last good weights.
    pub last: Option<PathBuf>,
    /// The checkpoint that the training went on from, where the very first step overflows.
    pub cause: Option<PathBuf>,
    /// The best model so far.
    pub best: Option<PathBuf>,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, epoch, batch, names, place, last, cause, best } = self;
        let verb = if *what == "weights" { "are" } else { "is" };
        write!(f, "the {what} {verb} {value:e} in epoch {epoch}, batch {batch}")?;
        if !names.is_empty() {
            write!(f, " (images {})", names.join(", "))?;
        }
        match place {
            Some(place) => write!(f, "; the first unusable value is {place}")?,
            None if value.is_finite() => write!(f, ", though all values are finite: the training diverged")?,
            None => {}
        }
        let kept = [
            ("the last good weights are in", last),
            ("the first step after resuming overflows, so do not go on from", cause),
            ("the best model is", best),
        ];
        for (words, path) in kept {
            if let Some(path) = path {
                write!(f, "; {words} {}", path.display())?;
            }
        }
        f.write_str(
            ". Lower the learning rate (--lr), clip the gradient (--clip 1), or look at these images; then start a new \
             run, with --init from the best model if you like",
        )
    }
}

/// Large errors are boxed, which keeps results small.
macro_rules! box_errors {
    ($($variant:ident: $error:ty),*) => {
        $(impl From<$error> for TrainError {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })*
    };
}

box_errors!(Checkpoint: CheckpointError, Graph: GraphError, Engine: EngineError);

impl InputFault for TrainError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Data(error) => error.is_input_fault(),
            Self::Checkpoint(error) => error.is_input_fault(),
            Self::Engine(error) => error.is_input_fault(),
            Self::Model(error) => error.is_input_fault(),
            Self::Recorder(error) => error.is_input_fault(),
            Self::Ranks(error) => error.is_input_fault(),
            Self::Network(_) | Self::Graph(_) | Self::Metrics(_) => true,
            Self::Read { .. } | Self::BadRunFile { .. } | Self::Config(_) => true,
            Self::Write(_) | Self::NotFinite(_) => false,
        }
    }
}

/// The error of a [`Recorder`](crate::Recorder).
#[derive(Debug)]
pub struct RecorderError(Box<dyn InputFault + Send + Sync>);

impl RecorderError {
    /// Wraps the recorder's own error.
    pub fn new(error: impl InputFault + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for RecorderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for RecorderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl InputFault for RecorderError {
    fn is_input_fault(&self) -> bool {
        self.0.is_input_fault()
    }
}
