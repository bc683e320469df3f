//! Region, boundary and salient-object metrics for semantic segmentation.
//!
//! Label maps are row-major `&[u8]` of `height * width` pixels. [`Evaluator`] scores a data set;
//! [`ConfusionMatrix`] and [`boundary_overlaps`] are what it is made of.
//!
//! A score that is undefined, such as the IoU of a class that occurs in neither map, is `None`, and means skip it.

mod bitplane;
mod boundary_iou;
mod confusion;
mod error;
mod evaluator;
mod overlap;
mod scores;

pub use boundary_iou::{BOUNDARY_RATIO, boundary_distance, boundary_overlaps, boundary_region};
pub use confusion::ConfusionMatrix;
pub use error::{MapKind, MetricsError};
pub use evaluator::{Evaluator, Protocol};
pub use overlap::{
    Overlap, cohen_kappa, frequency_weighted_iou, mean_accuracy, mean_defined, mean_dice, mean_iou,
    mean_precision, pixel_accuracy,
};
pub use scores::{
    ClassScores, DatasetScores, ImageClass, ImageScores, PerImageScores, Policy, Scores, min_iou_boundary_iou,
};
