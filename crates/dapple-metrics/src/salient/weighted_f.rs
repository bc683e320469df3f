//! Weighted F-measure.
//!
//! Margolin, Zelnik-Manor and Tal, "How to Evaluate Foreground Maps?", CVPR 2014.

use crate::probabilities::ForegroundMap;
use dapple_base::DistanceTransform;

/// Half the side of the 7 x 7 Gaussian, less its centre.
const REACH: usize = 3;
/// The Gaussian's standard deviation in pixels.
const SIGMA: f64 = 5.0;
/// The distance in pixels at which a background error's weight is half-way from 1 to 2.
const HALF_WEIGHT: f64 = 5.0;

/// The weighted F-measure with `beta² = 1`; 0 if the truth is empty.
///
/// Errors `|p - g|` inside the foreground may be as small as their Gaussian average, for which a background pixel
/// takes the error of the nearest foreground pixel (the leftmost, then topmost, if several are) and pixels outside
/// the image none. Errors in the background weigh more the farther they are from the foreground.
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::weighted_f_measure};
/// let truth = [false, true, true, false];
/// let perfect = ForegroundMap::new(Probabilities::Bits8(&[0, 255, 255, 0]), &truth, 1, 4)?;
/// assert!((weighted_f_measure(&perfect) - 1.0).abs() < 1e-12);
/// // A false alarm one pixel away weighs w = 2 - exp(ln(0.5) / 5): P = 2 / (2 + w), R = 1.
/// let alarm = ForegroundMap::new(Probabilities::Bits8(&[0, 255, 255, 255]), &truth, 1, 4)?;
/// let w = 2.0 - (0.5f64.ln() / 5.0).exp();
/// let p = 2.0 / (2.0 + w);
/// assert!((weighted_f_measure(&alarm) - 2.0 * p / (p + 1.0)).abs() < 1e-12);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
pub fn weighted_f_measure(map: &ForegroundMap) -> f64 {
    let (height, width) = (map.height, map.width);
    let Some(transform) = DistanceTransform::new(map.truth, height, width) else { return 0.0 };

    let errors: Vec<f64> = map.pairs().map(|(p, truth)| if truth { 1.0 - p } else { p }).collect();
    // A foreground pixel is its own nearest.
    let dependent: Vec<f64> = (0..errors.len()).map(|pixel| errors[transform.nearest(pixel)]).collect();
    let averaged = gaussian_average(&dependent, height, width);

    let (mut foreground_error, mut background_error, mut foreground) = (0.0, 0.0, 0.0);
    for (pixel, &truth) in map.truth.iter().enumerate() {
        if truth {
            foreground_error += errors[pixel].min(averaged[pixel]);
            foreground += 1.0;
        } else {
            let weight = 2.0 - (0.5f64.ln() / HALF_WEIGHT * transform.distance(pixel)).exp();
            background_error += errors[pixel] * weight;
        }
    }
    let found = foreground - foreground_error;
    let (precision, recall) = (found / (found + background_error), found / foreground);
    if found == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// The average under a normalized 7 x 7 Gaussian, zeros outside the image. The Gaussian is a product of one along
/// the rows and one along the columns.
fn gaussian_average(values: &[f64], height: usize, width: usize) -> Vec<f64> {
    let kernel = kernel();
    let taps = |at: usize, end: usize| {
        let (first, last) = (at.saturating_sub(REACH), (at + REACH).min(end - 1));
        (first..=last).map(move |tap| (tap, kernel[tap + REACH - at]))
    };
    let mut along_rows = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        along_rows
            .extend((0..width).map(|x| taps(x, width).map(|(tap, weight)| weight * row[tap]).sum::<f64>()));
    }
    let mut average = vec![0.0; values.len()];
    for (y, out) in average.chunks_exact_mut(width).enumerate() {
        for (tap, weight) in taps(y, height) {
            for (out, value) in out.iter_mut().zip(&along_rows[tap * width..]) {
                *out += weight * value;
            }
        }
    }
    average
}

/// Weights of the Gaussian along one axis; they sum to 1.
fn kernel() -> [f64; 2 * REACH + 1] {
    let mut kernel = [0.0; 2 * REACH + 1];
    for (tap, weight) in kernel.iter_mut().enumerate() {
        let distance = tap as f64 - REACH as f64;
        *weight = (-distance * distance / (2.0 * SIGMA * SIGMA)).exp();
    }
    let sum: f64 = kernel.iter().sum();
    kernel.map(|weight| weight / sum)
}
