//! Metrics of salient-object detection: a map of probabilities `p` in `[0, 1]` against a binary truth `g`.
//!
//! Maps are scored as given. Some evaluation tools stretch every map to `[0, 1]` first; do so before, if wanted.

mod e_measure;
mod evaluator;
mod f_measure;
mod mae;
mod relaxed_f;
mod s_measure;
mod weighted_f;

pub use e_measure::{EMeasure, e_measure};
pub use evaluator::{SalientEvaluator, SalientImageScores, SalientScores};
pub use f_measure::{BETA_SQUARED, FMeasure, f_measure};
pub use mae::mean_absolute_error;
pub use relaxed_f::{RELAXATION, relaxed_boundary_f};
pub use s_measure::s_measure;
pub use weighted_f::weighted_f_measure;
