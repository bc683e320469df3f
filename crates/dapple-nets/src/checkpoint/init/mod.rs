//! Initial values from existing weights.

mod class_axes;
mod file;
mod model;
mod plan;
mod prefix;
mod report;
mod shapes;
mod state_dict;

pub use file::init_from_file;
pub use model::{HeadReport, init_from_model};
pub use report::{InitError, InitReport, Unmatched};
pub use shapes::{ShapesError, shaped_like};
pub use state_dict::init_from;
