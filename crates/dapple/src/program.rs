//! The `dapple` program as functions, for programs that contain it, such as the Python package.

pub use crate::cli::{Failure, StartedTraining, run, start_training};
pub use crate::environment::store_settings;
