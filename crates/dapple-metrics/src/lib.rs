//! Region, boundary and salient-object metrics for semantic segmentation.
//!
//! Label maps are row-major `&[u8]` of `height * width` pixels. [`Evaluator`] scores a data set;
//! [`ConfusionMatrix`] and [`boundary_overlaps`] are what it is made of. Probability maps of a foreground are a
//! [`ForegroundMap`], scored by [`salient`] and [`PrecisionRecall`].
//!
//! A score that is undefined, such as the IoU of a class that occurs in neither map, is `None`, and means skip it.
//!
//! ```
//! use dapple_metrics::{Evaluator, Protocol};
//!
//! // Two rows of three pixels; pixels labelled 255 count nowhere.
//! let truth = [0, 0, 1, 0, 1, 255];
//! let prediction = [0, 1, 1, 0, 1, 0];
//! let mut evaluator = Evaluator::new(Protocol::new(["ground", "horse"], Some(255)))?;
//! evaluator.add("a.png", &prediction, &truth, 2, 3)?;
//! // Each class has two pixels right of the three that it has in either map.
//! assert_eq!(evaluator.finish().dataset.miou, Some(2.0 / 3.0));
//! # Ok::<(), dapple_metrics::MetricsError>(())
//! ```

mod bitplane;
mod bootstrap;
mod boundary_f1;
mod boundary_iou;
mod boundary_many;
mod boundary_two;
mod calibration;
mod comparison;
mod confusion;
mod contour;
mod error;
mod evaluator;
mod interior;
mod lanes;
mod overlap;
mod pack;
mod precision_recall;
mod probabilities;
pub mod salient;
mod scores;
mod surface;

pub use bootstrap::{Bootstrap, Interval};
pub use boundary_f1::{BF_TOLERANCE, boundary_f1};
pub use boundary_iou::{BOUNDARY_RATIO, boundary_distance, boundary_overlaps, boundary_region};
pub use calibration::{Calibration, ReliabilityBin};
pub use comparison::{ScoreDifference, ScoreInterval, compare_scores, score_intervals};
pub use confusion::ConfusionMatrix;
pub use error::{MapKind, MetricsError};
pub use evaluator::{Evaluator, EvaluatorState, Protocol};
pub use overlap::{
    Overlap, cohen_kappa, frequency_weighted_iou, mean_accuracy, mean_defined, mean_dice, mean_iou,
    mean_precision, pixel_accuracy,
};
pub use precision_recall::{PrecisionRecall, PrecisionRecallPoint};
pub use probabilities::{ForegroundMap, Probabilities};
pub use scores::{
    ClassScores, DatasetScores, ImageClass, ImageScores, PerImageScores, Policy, Scores, min_iou_boundary_iou,
};
pub use surface::{SurfaceDistances, surface_distances};
