//! Distances between the contours of two masks.
//!
//! Hausdorff distance: Huttenlocher, Klanderman and Rucklidge, PAMI 1993; its 95th percentile and the average
//! symmetric surface distance are used in medical segmentation (Heimann et al., IEEE TMI 2009).

use crate::contour::mask_contour;
use crate::error::{MetricsError, check_lengths};
use dapple_base::DistanceTransform;

/// Distances in pixels between the contours of two masks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurfaceDistances {
    /// Largest distance of any contour pixel to the other contour.
    pub hausdorff: f64,
    /// The larger of the 95th percentiles of the distances from either contour to the other.
    /// Between ranks, percentiles are interpolated linearly.
    pub hausdorff_95: f64,
    /// Mean of the distances of all contour pixels, of both masks, to the other contour.
    pub average: f64,
}

/// Measures two row-major masks of `height * width` pixels. A mask's contour is its pixels with a 4-neighbour
/// that is not set or lies outside the image. Undefined (`None`) if a mask has no set pixel.
///
/// ```
/// use dapple_metrics::surface_distances;
/// let distances = surface_distances(&[true, false, false, false], &[false, true, false, true], 1, 4)?.unwrap();
/// // From the prediction: 1. From the truth: 1 and 3, whose 95th percentile is 1 + 0.95 * 2.
/// assert_eq!(distances.hausdorff, 3.0);
/// assert!((distances.hausdorff_95 - 2.9).abs() < 1e-12);
/// assert_eq!(distances.average, 5.0 / 3.0);
/// assert_eq!(surface_distances(&[true], &[false], 1, 1)?, None);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// [`MetricsError::WrongLength`] or [`MetricsError::EmptyImage`] for masks that do not fit the size.
pub fn surface_distances(
    prediction: &[bool],
    truth: &[bool],
    height: usize,
    width: usize,
) -> Result<Option<SurfaceDistances>, MetricsError> {
    check_lengths(prediction.len(), truth.len(), height, width)?;
    let prediction = mask_contour(prediction, height, width);
    let truth = mask_contour(truth, height, width);
    let to_prediction = DistanceTransform::new(&prediction, height, width);
    let to_truth = DistanceTransform::new(&truth, height, width);
    let Some((to_prediction, to_truth)) = to_prediction.zip(to_truth) else {
        return Ok(None);
    };
    let from_prediction = sorted_distances(&prediction, &to_truth);
    let from_truth = sorted_distances(&truth, &to_prediction);
    let sum: f64 = from_prediction.iter().chain(&from_truth).sum();
    Ok(Some(SurfaceDistances {
        hausdorff: quantile(&from_prediction, 1.0).max(quantile(&from_truth, 1.0)),
        hausdorff_95: quantile(&from_prediction, 0.95).max(quantile(&from_truth, 0.95)),
        average: sum / (from_prediction.len() + from_truth.len()) as f64,
    }))
}

fn sorted_distances(contour: &[bool], to_other: &DistanceTransform) -> Vec<f64> {
    let on_contour = (0..contour.len()).filter(|&pixel| contour[pixel]);
    let mut distances: Vec<f64> = on_contour.map(|pixel| to_other.distance(pixel)).collect();
    distances.sort_by(f64::total_cmp);
    distances
}

/// The quantile of sorted values (at least one), interpolated linearly between ranks.
pub(crate) fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let rank = fraction * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    low + (high - low) * rank.fract()
}
