//! How the program fails: one message on standard error and an exit code.

use std::fmt::Display;
use std::panic::{self, PanicHookInfo};
use std::process::{self, ExitCode};

use dapple::data::DataError;
use dapple::device::DeviceError;
use dapple::export::ExportError;
use dapple::graph::{EngineError, GraphError};
use dapple::metrics::MetricsError;
use dapple::model::ModelError;
use dapple::models::FindModelError;
use dapple::nets::ConfigError;
use dapple::predict::PredictError;
use dapple::report::ReportError;
use dapple::run::RunError;
use dapple::train::TrainError;
use dapple::weights::WeightsError;
use dapple_base::{InputFault, WriteError};

/// Why a command did not do what it should.
#[derive(Debug)]
pub enum Failure {
    /// The user's input is wrong.
    Input(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// Wrong input with this message.
    pub fn input(message: impl Display) -> Self {
        Self::Input(message.to_string())
    }

    /// Any other failure with this message.
    pub fn other(message: impl Display) -> Self {
        Self::Other(message.to_string())
    }

    /// Writes the message to standard error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let (message, code) = match self {
            Self::Input(message) => (message, 2),
            Self::Other(message) => (message, 1),
        };
        eprintln!("error: {message}");
        ExitCode::from(code)
    }
}

/// Errors that know whose fault they are.
macro_rules! judge {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                if error.is_input_fault() { Self::input(error) } else { Self::other(error) }
            }
        })*
    };
}

judge!(TrainError, ModelError, RunError, PredictError, WriteError);

/// Errors that are judged as another one is.
macro_rules! judge_as {
    ($judge:ty: $($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                <$judge>::from(error).into()
            }
        })*
    };
}

judge_as!(TrainError: DataError, ConfigError, GraphError, EngineError, MetricsError);
judge_as!(RunError: ReportError);

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::input(error)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Model(error) => error.into(),
            ExportError::Onnx(error) => Self::input(error),
        }
    }
}

impl From<FindModelError> for Failure {
    fn from(error: FindModelError) -> Self {
        match error {
            FindModelError::File(error) => error.into(),
            FindModelError::Weights(error) => error.into(),
            error => Self::input(error),
        }
    }
}

impl From<WeightsError> for Failure {
    fn from(error: WeightsError) -> Self {
        if error.is_input_fault() { Self::input(error) } else { Self::other(error) }
    }
}

/// Makes a panic, which is a bug, say so and end the program with code 1.
pub fn explain_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        // A reader that closed the pipe, such as `head`, has seen what it wanted.
        let payload = info.payload();
        let text =
            payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        if text.is_some_and(|text| text.starts_with("failed printing to stdout")) {
            process::exit(0);
        }
        usual(info);
        eprintln!("error: this is a bug in dapple, not in your input; please report the lines above");
        process::exit(1);
    }));
}
