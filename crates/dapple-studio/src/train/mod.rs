//! Trainings of real models from the labels, and their use.

mod models;
mod program;
mod run_state;
mod trainings;

pub(crate) use models::MOST_PIXELS;
pub use models::{Area, Models, Predicted};
pub use program::{Plan, Program, ProgramError};
pub use run_state::{Choice, CurvePoint, RunState, Standing};
pub use trainings::Trainings;
