//! Initial values from existing weights.

mod file;
mod plan;
mod report;
mod state_dict;

pub use file::init_from_file;
pub use report::{InitError, InitReport, Unmatched};
pub use state_dict::init_from;
