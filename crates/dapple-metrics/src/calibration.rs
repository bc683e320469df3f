//! Calibration of confidences, with the reliability diagram.
//!
//! Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

use serde::{Deserialize, Serialize};

use crate::error::MetricsError;
use crate::overlap::ratio;
use crate::probabilities::Probabilities;

/// Calibration: whether a confidence of 80 % is right in 80 % of the cases.
///
/// Confidences are put into bins of equal width, `(0, 1/n], (1/n, 2/n], ...` (0 belongs to the first), whose edges are
/// rounded to single precision as the confidences are.
///
/// ```
/// use dapple_metrics::Calibration;
/// let mut calibration = Calibration::new(10)?;
/// // Two pixels at 0.75, one of them right, and two at 1, both right.
/// calibration.add(&[0.75, 0.75, 1.0, 1.0], &[true, false, true, true])?;
/// let bin = calibration.bins()[7];
/// assert_eq!((bin.pixels, bin.accuracy, bin.confidence), (2, Some(0.5), Some(0.75)));
/// assert_eq!(calibration.expected_error(), Some(0.5 * 0.25));
/// assert_eq!(calibration.maximum_error(), Some(0.25));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<BinCounts>", into = "Vec<BinCounts>")]
pub struct Calibration {
    bins: Vec<BinCounts>,
}

/// Confidences are summed in steps of `2^-32`, so that sums do not depend on the order of images.
const CONFIDENCE_STEPS: f64 = 4_294_967_296.0;

/// Stored as `[pixels, correct, high, low]`, the steps being `high * 2^64 + low`: JSON has no larger numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 4]", into = "[u64; 4]")]
struct BinCounts {
    pixels: u64,
    correct: u64,
    confidence_steps: u128,
}

impl From<[u64; 4]> for BinCounts {
    fn from([pixels, correct, high, low]: [u64; 4]) -> Self {
        BinCounts { pixels, correct, confidence_steps: (u128::from(high) << 64) | u128::from(low) }
    }
}

impl From<BinCounts> for [u64; 4] {
    fn from(BinCounts { pixels, correct, confidence_steps }: BinCounts) -> Self {
        // The two halves of the sum.
        [pixels, correct, (confidence_steps >> 64) as u64, confidence_steps as u64]
    }
}

impl From<Calibration> for Vec<BinCounts> {
    fn from(calibration: Calibration) -> Self {
        calibration.bins
    }
}

impl TryFrom<Vec<BinCounts>> for Calibration {
    type Error = String;

    fn try_from(bins: Vec<BinCounts>) -> Result<Self, String> {
        if bins.is_empty() {
            return Err("a calibration has at least one bin".to_owned());
        }
        Ok(Calibration { bins })
    }
}

/// One bar of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// The bin holds confidences above this.
    pub low: f64,
    /// And up to this.
    pub high: f64,
    /// Pixels in the bin.
    pub pixels: u64,
    /// Fraction of them that is predicted rightly; undefined in an empty bin.
    pub accuracy: Option<f64>,
    /// Their mean confidence; undefined in an empty bin.
    pub confidence: Option<f64>,
}

impl Calibration {
    /// No pixels yet, in `bins` bins (15 are usual).
    ///
    /// # Errors
    /// [`MetricsError::Setting`] for no bins.
    pub fn new(bins: usize) -> Result<Self, MetricsError> {
        if bins == 0 {
            return Err(MetricsError::Setting {
                name: "the number of calibration bins",
                value: 0.0,
                expected: "1 or more (15 is usual)",
            });
        }
        Ok(Calibration { bins: vec![BinCounts::default(); bins] })
    }

    /// Adds pixels: the probability of the class predicted for each, and whether it is the right one. Leave out pixels
    /// whose truth is the ignore label.
    ///
    /// # Errors
    /// [`MetricsError::WrongCount`] if the lists differ in length, [`MetricsError::NotAProbability`] (with the position
    /// in the list as the column) for a number outside `[0, 1]`; nothing is then added.
    pub fn add(&mut self, confidence: &[f32], correct: &[bool]) -> Result<(), MetricsError> {
        let (found, expected) = (correct.len(), confidence.len());
        if found != expected {
            return Err(MetricsError::WrongCount { what: "correctness flags", found, expected });
        }
        Probabilities::Unit(confidence).check(usize::MAX)?;
        let last = self.bins.len() - 1;
        for (&confidence, &correct) in confidence.iter().zip(correct) {
            let bin = self.bin_of(confidence).min(last);
            let bin = &mut self.bins[bin];
            bin.pixels += 1;
            bin.correct += u64::from(correct);
            bin.confidence_steps += (f64::from(confidence) * CONFIDENCE_STEPS).round() as u128;
        }
        Ok(())
    }

    /// The bin of a confidence. Edges are rounded as confidences are, so that 0.3 and 0.7 both lie on one of ten bins,
    /// although single precision puts 0.3 above three tenths and 0.7 below seven.
    fn bin_of(&self, confidence: f32) -> usize {
        let count = self.bins.len() as f64;
        let edge = |at: usize| (at as f64 / count) as f32;
        let near = (f64::from(confidence) * count).ceil() as usize;
        let above = (near.saturating_sub(1)..=near + 1).find(|&at| confidence <= edge(at));
        above.unwrap_or(near).saturating_sub(1)
    }

    /// Adds the pixels of another.
    ///
    /// # Errors
    /// [`MetricsError::Mismatch`] if it has another number of bins.
    pub fn merge(&mut self, other: &Calibration) -> Result<(), MetricsError> {
        if self.bins.len() != other.bins.len() {
            return Err(MetricsError::Mismatch(format!(
                "{} and {} calibration bins",
                self.bins.len(),
                other.bins.len()
            )));
        }
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.pixels += more.pixels;
            bin.correct += more.correct;
            bin.confidence_steps += more.confidence_steps;
        }
        Ok(())
    }

    /// The reliability diagram.
    pub fn bins(&self) -> Vec<ReliabilityBin> {
        let count = self.bins.len() as f64;
        let bin = |(at, counts): (usize, &BinCounts)| ReliabilityBin {
            low: at as f64 / count,
            high: (at + 1) as f64 / count,
            pixels: counts.pixels,
            accuracy: ratio(counts.correct, counts.pixels),
            confidence: (counts.pixels > 0)
                .then(|| counts.confidence_steps as f64 / CONFIDENCE_STEPS / counts.pixels as f64),
        };
        self.bins.iter().enumerate().map(bin).collect()
    }

    /// Expected calibration error: the mean over the pixels of `|accuracy - confidence|` of their bin.
    pub fn expected_error(&self) -> Option<f64> {
        let pixels: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let gaps = self.gaps();
        (pixels > 0).then(|| gaps.map(|(gap, count)| gap * count as f64).sum::<f64>() / pixels as f64)
    }

    /// Maximum calibration error: the largest `|accuracy - confidence|` of any bin.
    pub fn maximum_error(&self) -> Option<f64> {
        self.gaps().map(|(gap, _)| gap).reduce(f64::max)
    }

    /// `|accuracy - confidence|` and the number of pixels of each bin that has some.
    fn gaps(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bins().into_iter().filter_map(|bin| Some(((bin.accuracy? - bin.confidence?).abs(), bin.pixels)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_on_an_edge_lies_in_the_bin_below_it() {
        for count in [1, 3, 5, 10, 15, 20, 100] {
            let calibration = Calibration::new(count).expect("some bins");
            for edge in 1..=count {
                let on = (edge as f64 / count as f64) as f32;
                assert_eq!(calibration.bin_of(on), edge - 1, "{edge} of {count}");
                assert_eq!(calibration.bin_of(on.next_down()), edge - 1, "below {edge} of {count}");
                assert_eq!(calibration.bin_of(on.next_up()), edge, "above {edge} of {count}");
            }
            assert_eq!(calibration.bin_of(0.0), 0);
        }
    }
}
