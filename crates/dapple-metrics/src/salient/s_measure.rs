//! Structure measure.
//!
//! Fan, Cheng, Liu, Li and Borji, "Structure-measure: A New Way to Evaluate Foreground Maps", ICCV 2017.

use crate::probabilities::ForegroundMap;

/// Weight of the object part; the region part has the rest.
const ALPHA: f64 = 0.5;

/// `0.5 S_object + 0.5 S_region`, at least 0. For an empty truth `1 - mean p`, for a full one `mean p`.
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::s_measure};
/// let map = ForegroundMap::new(Probabilities::Unit(&[0.25, 0.75]), &[false, false], 1, 2)?;
/// assert_eq!(s_measure(&map), 0.5);
/// // A perfect map: both parts are 1.
/// let map = ForegroundMap::new(Probabilities::Unit(&[0.0, 1.0, 1.0, 0.0]), &[false, true, true, false], 1, 4)?;
/// assert!((s_measure(&map) - 1.0).abs() < 1e-12);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
pub fn s_measure(map: &ForegroundMap) -> f64 {
    let foreground = map.foreground();
    if foreground == 0 {
        return 1.0 - map.mean_probability();
    }
    if foreground == map.pixels() {
        return map.mean_probability();
    }
    let fraction = foreground as f64 / map.pixels() as f64;
    let object = fraction * similarity_to_one(map.pairs().filter(|&(_, truth)| truth).map(|(p, _)| p))
        + (1.0 - fraction)
            * similarity_to_one(map.pairs().filter(|&(_, truth)| !truth).map(|(p, _)| 1.0 - p));
    (ALPHA * object + (1.0 - ALPHA) * region(map)).max(0.0)
}

/// How near values are to 1 throughout: `2 m / (m² + 1 + s)` with their mean `m` and sample standard deviation `s`
/// (equation 5 of the paper, with `lambda` 0.5).
fn similarity_to_one(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
    2.0 * mean / (mean * mean + 1.0 + deviation)
}

/// Structural similarity in the four parts into which the truth's centroid divides the image, weighted by area.
fn region(map: &ForegroundMap) -> f64 {
    let (mut rows, mut columns, mut count) = (0usize, 0usize, 0usize);
    for pixel in (0..map.pixels()).filter(|&pixel| map.truth[pixel]) {
        rows += pixel / map.width;
        columns += pixel % map.width;
        count += 1;
    }
    // The centroid's own row and column belong to the upper left part.
    let split = |sum: usize| (sum as f64 / count as f64).round_ties_even() as usize + 1;
    let (y, x) = (split(rows), split(columns));
    let mut score = 0.0;
    for (top, bottom) in [(0, y), (y, map.height)] {
        for (left, right) in [(0, x), (x, map.width)] {
            let area = (bottom - top) * (right - left);
            if area > 0 {
                let pixels = (top..bottom).flat_map(|y| (left..right).map(move |x| y * map.width + x));
                score += area as f64 / map.pixels() as f64 * structural_similarity(map, pixels, area);
            }
        }
    }
    score
}

/// SSIM without its stabilising constants: `4 mx my sxy / ((mx² + my²)(sx² + sy²))`. Where numerator and denominator
/// are both 0 it is 1, where only the numerator is, 0.
fn structural_similarity(
    map: &ForegroundMap,
    pixels: impl Iterator<Item = usize> + Clone,
    area: usize,
) -> f64 {
    let pairs = pixels.map(|pixel| (map.prediction.value(pixel), f64::from(u8::from(map.truth[pixel]))));
    // Means are taken from the first pixel's values, so that those of a constant map are exact and its variance is 0.
    let first = pairs.clone().next().unwrap_or_default();
    let (mut mean_x, mut mean_y) = first;
    for (x, y) in pairs.clone() {
        mean_x += (x - first.0) / area as f64;
        mean_y += (y - first.1) / area as f64;
    }
    let (mut variance_x, mut variance_y, mut covariance) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        variance_x += (x - mean_x).powi(2);
        variance_y += (y - mean_y).powi(2);
        covariance += (x - mean_x) * (y - mean_y);
    }
    let normalizer = (area as f64 - 1.0).max(1.0);
    let numerator = 4.0 * mean_x * mean_y * covariance / normalizer;
    let denominator = (mean_x * mean_x + mean_y * mean_y) * (variance_x + variance_y) / normalizer;
    if numerator != 0.0 {
        // A covariance that is not 0 means variances that are not.
        numerator / denominator
    } else if denominator == 0.0 {
        1.0
    } else {
        0.0
    }
}
