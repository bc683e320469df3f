//! Enhanced-alignment measure.
//!
//! Fan, Gong, Cao, Ren, Cheng and Borji, "Enhanced-alignment Measure for Binary Foreground Map Evaluation", IJCAI 2018.

use crate::probabilities::ForegroundMap;

/// The E-measure of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct EMeasure {
    /// Element `t` is for the foreground `p >= t / 255`.
    pub curve: [f64; 256],
    /// At the adaptive threshold, twice the mean probability and at most 1.
    pub adaptive: f64,
}

/// The E-measure: over the pixels, the sum of `(phi + 1)² / 4` divided by `N - 1`, where `phi = 2ab / (a² + b²)` and
/// `a`, `b` are the binary prediction and truth less their means. For an empty truth it is the fraction of
/// background predicted, for a full one that of foreground (again of `N - 1`; a single pixel counts as `N - 1 = 1`).
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::e_measure};
/// // Prediction and truth agree: phi = 1 at each of the 4 pixels, so 4 / (4 - 1).
/// let map = ForegroundMap::new(Probabilities::Bits8(&[255, 255, 0, 0]), &[true, true, false, false], 2, 2)?;
/// assert!((e_measure(&map).curve[128] - 4.0 / 3.0).abs() < 1e-12);
/// // All is foreground at threshold 0: a = 0, phi = 0, so 4 * (1 / 4) / 3.
/// assert!((e_measure(&map).curve[0] - 1.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
pub fn e_measure(map: &ForegroundMap) -> EMeasure {
    let (pixels, foreground) = (map.pixels() as u64, map.foreground() as u64);
    EMeasure {
        curve: map.at_least_each_level().map(|counts| alignment(counts, foreground, pixels)),
        adaptive: alignment(map.at_least(map.adaptive_threshold()), foreground, pixels),
    }
}

/// The score of a binary prediction with `found` pixels inside and `false_alarms` outside the truth.
fn alignment((found, false_alarms): (u64, u64), foreground: u64, pixels: u64) -> f64 {
    let predicted = found + false_alarms;
    let sum = if foreground == 0 {
        (pixels - predicted) as f64
    } else if foreground == pixels {
        predicted as f64
    } else {
        let mean_prediction = predicted as f64 / pixels as f64;
        let mean_truth = foreground as f64 / pixels as f64;
        let missed = foreground - found;
        let rest = pixels - predicted - missed;
        [(1.0, 1.0, found), (1.0, 0.0, false_alarms), (0.0, 1.0, missed), (0.0, 0.0, rest)]
            .map(|(prediction, truth, count)| {
                let (a, b): (f64, f64) = (prediction - mean_prediction, truth - mean_truth);
                // `b` is never 0, as the truth is neither empty nor full.
                let phi = 2.0 * a * b / (a * a + b * b);
                count as f64 * (phi + 1.0).powi(2) / 4.0
            })
            .iter()
            .sum()
    };
    sum / (pixels - 1).max(1) as f64
}
