//! Mean absolute error.
//!
//! Perazzi, Krähenbühl, Pritch and Hornung, "Saliency Filters", CVPR 2012.

use crate::probabilities::ForegroundMap;

/// `mean |p - g|`; 0 is best.
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::mean_absolute_error};
/// let map = ForegroundMap::new(Probabilities::Unit(&[0.0, 0.5, 1.0, 0.75]), &[false, true, true, false], 2, 2)?;
/// assert_eq!(mean_absolute_error(&map), (0.0 + 0.5 + 0.0 + 0.75) / 4.0);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
pub fn mean_absolute_error(map: &ForegroundMap) -> f64 {
    let sum: f64 = map.pairs().map(|(p, truth)| if truth { 1.0 - p } else { p }).sum();
    sum / map.pixels() as f64
}
