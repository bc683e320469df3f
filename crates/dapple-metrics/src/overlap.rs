//! Overlap of two pixel sets, and what is computed from the overlaps of several classes.
//!
//! All region metrics of a data set follow from three counts a class: pixels predicted and labelled as the class
//! (`I`), predicted (`P`) and labelled (`G`). A quotient of zero and zero is undefined: `None`, and means skip it.

use serde::{Deserialize, Serialize};

/// Pixel counts of one class, or of one class's boundary region. Serialised as `[intersection, predicted, labelled]`.
///
/// ```
/// use dapple_metrics::Overlap;
/// // Three pixels predicted, four labelled, two of them the same: the union has five.
/// let overlap = Overlap { intersection: 2, predicted: 3, labelled: 4 };
/// assert_eq!(overlap.iou(), Some(2.0 / 5.0));
/// assert_eq!(overlap.precision(), Some(2.0 / 3.0));
/// assert_eq!(overlap.accuracy(), Some(0.5));
/// assert_eq!(overlap.dice(), Some(4.0 / 7.0));
/// assert_eq!(Overlap::default().iou(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 3]", into = "[u64; 3]")]
pub struct Overlap {
    /// Pixels in both sets, `I`.
    pub intersection: u64,
    /// Pixels of the prediction, `P`.
    pub predicted: u64,
    /// Pixels of the truth, `G`.
    pub labelled: u64,
}

impl From<[u64; 3]> for Overlap {
    fn from([intersection, predicted, labelled]: [u64; 3]) -> Self {
        Overlap { intersection, predicted, labelled }
    }
}

impl From<Overlap> for [u64; 3] {
    fn from(overlap: Overlap) -> Self {
        [overlap.intersection, overlap.predicted, overlap.labelled]
    }
}

impl Overlap {
    /// Neither set has a pixel.
    pub fn is_empty(&self) -> bool {
        self.predicted == 0 && self.labelled == 0
    }

    /// Intersection over union (Jaccard index), `I / (P + G - I)`.
    pub fn iou(&self) -> Option<f64> {
        let union = (self.predicted + self.labelled).saturating_sub(self.intersection);
        ratio(self.intersection, union)
    }

    /// Class accuracy, which is recall: `I / G`.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.intersection, self.labelled)
    }

    /// Precision, `I / P`.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.intersection, self.predicted)
    }

    /// Dice coefficient, which is F1: `2 I / (P + G)`.
    pub fn dice(&self) -> Option<f64> {
        ratio(2 * self.intersection, self.predicted + self.labelled)
    }

    /// `F_beta = (1 + b²) P R / (b² P + R)`, written in counts as `(1 + b²) I / (b² G + P)`.
    /// It is 0 where one set is empty, and undefined where both are.
    pub fn f_beta(&self, beta_squared: f64) -> Option<f64> {
        let denominator = beta_squared * self.labelled as f64 + self.predicted as f64;
        (!self.is_empty()).then(|| (1.0 + beta_squared) * self.intersection as f64 / denominator)
    }

    /// Adds the counts of another set of pixels.
    pub fn merge(&mut self, other: Overlap) {
        self.intersection += other.intersection;
        self.predicted += other.predicted;
        self.labelled += other.labelled;
    }
}

/// `numerator / denominator`, undefined for a denominator of zero.
pub(crate) fn ratio(numerator: u64, denominator: u64) -> Option<f64> {
    (denominator != 0).then(|| numerator as f64 / denominator as f64)
}

/// Mean of the defined values, summed in their order; undefined if none is.
///
/// ```
/// assert_eq!(dapple_metrics::mean_defined([Some(1.0), None, Some(0.5)]), Some(0.75));
/// assert_eq!(dapple_metrics::mean_defined([None]), None);
/// ```
pub fn mean_defined(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) =
        values.into_iter().flatten().fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    (count != 0).then(|| sum / count as f64)
}

/// Mean IoU over the classes; those absent from both prediction and truth are skipped.
pub fn mean_iou(classes: &[Overlap]) -> Option<f64> {
    mean_defined(classes.iter().map(Overlap::iou))
}

/// Mean class accuracy over the classes labelled somewhere.
pub fn mean_accuracy(classes: &[Overlap]) -> Option<f64> {
    mean_defined(classes.iter().map(Overlap::accuracy))
}

/// Mean precision over the classes predicted somewhere.
pub fn mean_precision(classes: &[Overlap]) -> Option<f64> {
    mean_defined(classes.iter().map(Overlap::precision))
}

/// Mean Dice coefficient over the classes; those absent from both prediction and truth are skipped.
pub fn mean_dice(classes: &[Overlap]) -> Option<f64> {
    mean_defined(classes.iter().map(Overlap::dice))
}

/// Pixel (global) accuracy, `sum I / sum G`.
pub fn pixel_accuracy(classes: &[Overlap]) -> Option<f64> {
    ratio(classes.iter().map(|c| c.intersection).sum(), classes.iter().map(|c| c.labelled).sum())
}

/// Frequency-weighted IoU, `sum (G / N) IoU` with `N = sum G`.
pub fn frequency_weighted_iou(classes: &[Overlap]) -> Option<f64> {
    let pixels: u64 = classes.iter().map(|c| c.labelled).sum();
    let weighted: f64 = classes.iter().filter_map(|c| Some(c.labelled as f64 * c.iou()?)).sum();
    (pixels != 0).then(|| weighted / pixels as f64)
}

/// Cohen's kappa (Cohen, Educational and Psychological Measurement 20, 1960): `(p_o - p_e) / (1 - p_e)` with the
/// observed agreement `p_o = sum I / N` and the agreement by chance `p_e = sum G P / N²`.
/// Undefined where chance alone agrees everywhere.
///
/// ```
/// use dapple_metrics::{Overlap, cohen_kappa};
/// // Confusion matrix [[20, 5], [10, 15]]: p_o = 0.7, p_e = (25 * 30 + 25 * 20) / 2500 = 0.5.
/// let classes = [
///     Overlap { intersection: 20, predicted: 30, labelled: 25 },
///     Overlap { intersection: 15, predicted: 20, labelled: 25 },
/// ];
/// assert!((cohen_kappa(&classes).unwrap() - 0.4).abs() < 1e-12);
/// ```
pub fn cohen_kappa(classes: &[Overlap]) -> Option<f64> {
    let pixels: u64 = classes.iter().map(|c| c.labelled).sum();
    let pixels_squared = u128::from(pixels) * u128::from(pixels);
    let chance: u128 = classes.iter().map(|c| u128::from(c.labelled) * u128::from(c.predicted)).sum();
    if pixels_squared == chance {
        return None; // also when there is no pixel
    }
    let observed = pixel_accuracy(classes)?;
    let expected = chance as f64 / pixels_squared as f64;
    Some((observed - expected) / (1.0 - expected))
}
