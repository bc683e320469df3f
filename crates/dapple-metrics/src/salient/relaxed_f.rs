//! Relaxed boundary F-measure.
//!
//! Ehrig and Euzenat, "Relaxed Precision and Recall for Ontology Matching", 2005; used for boundaries in Qin et al.,
//! "U²-Net", Pattern Recognition 2020, section 4.2.

use crate::boundary_iou::boundary_region;
use crate::probabilities::ForegroundMap;
use crate::salient::f_measure::{BETA_SQUARED, f_beta};
use dapple_base::DistanceTransform;

/// The distance in pixels within which boundaries match.
pub const RELAXATION: u64 = 3;

/// F-measure with `beta² = 0.3` of the precision and recall of one-pixel boundaries within [`RELAXATION`] pixels
/// (Euclidean).
///
/// The prediction is the foreground `p >= 0.5`. A mask's boundary is the mask less its erosion by a 3 x 3 square, the
/// outside of the image being background. Undefined if both boundaries are empty, 0 if one is.
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::relaxed_boundary_f};
/// let score = |prediction: [u8; 9], truth: [u8; 9]| {
///     let truth = truth.map(|label| label == 1);
///     let prediction = prediction.map(|label| label * 255);
///     relaxed_boundary_f(&ForegroundMap::new(Probabilities::Bits8(&prediction), &truth, 1, 9).unwrap())
/// };
/// assert_eq!(score([1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0, 0]), Some(1.0)); // 3 pixels away
/// assert_eq!(score([1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0, 0]), Some(0.0)); // 4 pixels away
/// // One of two predicted pixels matches, and all of the truth: 1.3 * 0.5 / (0.3 * 0.5 + 1).
/// assert_eq!(score([1, 0, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 0, 0]), Some(0.65 / 1.15));
/// assert_eq!(score([0; 9], [0; 9]), None);
/// ```
pub fn relaxed_boundary_f(map: &ForegroundMap) -> Option<f64> {
    let prediction: Vec<bool> = map.pairs().map(|(p, _)| p >= 0.5).collect();
    let (prediction, truth) = (boundary(&prediction, map), boundary(map.truth, map));
    match (matched(&prediction, &truth, map), matched(&truth, &prediction, map)) {
        (None, None) => None,
        (Some(precision), Some(recall)) => Some(f_beta(precision, recall, BETA_SQUARED)),
        _ => Some(0.0),
    }
}

/// A mask less its erosion by a 3 x 3 square.
fn boundary(mask: &[bool], map: &ForegroundMap) -> Vec<bool> {
    let labels: Vec<u8> = mask.iter().map(|&set| u8::from(set)).collect();
    let region = boundary_region(&labels, map.height, map.width, 1)
        .expect("the map was checked to have as many pixels as its height and width say");
    region.iter().zip(mask).map(|(region, set)| region & set).collect()
}

/// The fraction of one boundary that is near the other; `None` if it is empty.
fn matched(from: &[bool], to: &[bool], map: &ForegroundMap) -> Option<f64> {
    let all = from.iter().filter(|&&set| set).count();
    let transform = DistanceTransform::new(to, map.height, map.width);
    let near = |pixel: usize| {
        transform.as_ref().is_some_and(|transform| transform.squared(pixel) <= RELAXATION * RELAXATION)
    };
    let matched = (0..from.len()).filter(|&pixel| from[pixel] && near(pixel)).count();
    (all > 0).then(|| matched as f64 / all as f64)
}
