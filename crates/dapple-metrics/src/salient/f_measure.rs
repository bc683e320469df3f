//! Precision, recall and F-measure at the thresholds 0 to 255.
//!
//! Achanta, Hemami, Estrada and Süsstrunk, "Frequency-tuned Salient Region Detection", CVPR 2009.

use crate::probabilities::ForegroundMap;

/// `beta²` of the salient-object literature, which weighs precision above recall.
pub const BETA_SQUARED: f64 = 0.3;

/// The curves of one image. Element `t` is for the foreground `p >= t / 255`.
#[derive(Clone, Debug, PartialEq)]
pub struct FMeasure {
    /// Precision; 0 where no pixel is predicted.
    pub precision: [f64; 256],
    /// Recall; 0 if the truth is empty.
    pub recall: [f64; 256],
    /// F-measure with [`BETA_SQUARED`]; 0 where no foreground pixel is found.
    pub f: [f64; 256],
    /// F-measure at the adaptive threshold, twice the mean probability and at most 1.
    pub adaptive: f64,
}

/// Precision, recall and F-measure of one image.
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::f_measure};
/// let map = ForegroundMap::new(Probabilities::Bits8(&[255, 100, 200, 0]), &[true, true, false, false], 2, 2)?;
/// let measure = f_measure(&map);
/// assert_eq!((measure.precision[100], measure.recall[100]), (2.0 / 3.0, 1.0));
/// assert_eq!((measure.precision[101], measure.recall[101]), (0.5, 0.5));
/// assert_eq!(measure.f[255], 1.3 * 1.0 * 0.5 / (0.3 * 1.0 + 0.5));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
pub fn f_measure(map: &ForegroundMap) -> FMeasure {
    let foreground = map.foreground() as u64;
    let precision_recall = |(found, false_alarms): (u64, u64)| {
        (found as f64 / (found + false_alarms).max(1) as f64, found as f64 / foreground.max(1) as f64)
    };
    let points = map.at_least_each_level().map(precision_recall);
    FMeasure {
        precision: points.map(|(precision, _)| precision),
        recall: points.map(|(_, recall)| recall),
        f: points.map(|(precision, recall)| f_beta(precision, recall, BETA_SQUARED)),
        adaptive: {
            let (precision, recall) = precision_recall(map.at_least(map.adaptive_threshold()));
            f_beta(precision, recall, BETA_SQUARED)
        },
    }
}

/// `F = (1 + b²) P R / (b² P + R)`, and 0 where precision or recall is.
pub(crate) fn f_beta(precision: f64, recall: f64, beta_squared: f64) -> f64 {
    let product = precision * recall;
    if product == 0.0 { 0.0 } else { (1.0 + beta_squared) * product / (beta_squared * precision + recall) }
}
