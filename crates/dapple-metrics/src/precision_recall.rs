//! The precision-recall curve of a foreground probability, and average precision.
//!
//! Everingham, Van Gool, Williams, Winn and Zisserman, "The PASCAL Visual Object Classes Challenge", IJCV 2010; the
//! curve is not interpolated.

use serde::{Deserialize, Serialize};

use crate::overlap::ratio;
use crate::probabilities::ForegroundMap;

/// Probabilities are counted in steps of 1/65535.
const LEVELS: usize = 65536;

/// Collects the pixels of a data set. Exact for maps of 8 and 16 bits; numbers are rounded to 1/65535.
///
/// ```
/// use dapple_metrics::{ForegroundMap, PrecisionRecall, Probabilities};
/// let mut curve = PrecisionRecall::default();
/// curve.add(&ForegroundMap::new(Probabilities::Bits8(&[200, 150, 100, 50]), &[true, false, true, false], 2, 2)?);
/// let points: Vec<_> = curve.points().iter().map(|point| (point.precision, point.recall)).collect();
/// assert_eq!(points, [(1.0, 0.5), (0.5, 0.5), (2.0 / 3.0, 1.0), (0.5, 1.0)]);
/// // Recall grows by a half at precision 1 and by a half at precision 2/3.
/// assert_eq!(curve.average_precision(), Some(0.5 * 1.0 + 0.5 * (2.0 / 3.0)));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<LevelCounts>", into = "Vec<LevelCounts>")]
pub struct PrecisionRecall {
    /// Pixels (foreground, background) of each probability.
    counts: Vec<(u64, u64)>,
}

/// A probability in steps of 1/65535, with its pixels of foreground and background, where there are some.
type LevelCounts = (usize, u64, u64);

impl From<PrecisionRecall> for Vec<LevelCounts> {
    fn from(curve: PrecisionRecall) -> Self {
        let counts = curve.counts.into_iter().enumerate().filter(|(_, counts)| *counts != (0, 0));
        counts.map(|(level, (foreground, background))| (level, foreground, background)).collect()
    }
}

impl TryFrom<Vec<LevelCounts>> for PrecisionRecall {
    type Error = String;

    fn try_from(levels: Vec<LevelCounts>) -> Result<Self, String> {
        let mut curve = PrecisionRecall::default();
        for (level, foreground, background) in levels {
            let counts = curve.counts.get_mut(level).ok_or_else(|| format!("{level} is no probability"))?;
            *counts = (foreground, background);
        }
        Ok(curve)
    }
}

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecallPoint {
    /// Pixels of at least this probability are predicted foreground.
    pub threshold: f64,
    /// The fraction of them that is foreground.
    pub precision: f64,
    /// The fraction of the foreground that they are.
    pub recall: f64,
}

impl Default for PrecisionRecall {
    fn default() -> Self {
        PrecisionRecall { counts: vec![(0, 0); LEVELS] }
    }
}

impl PrecisionRecall {
    /// Adds one image.
    pub fn add(&mut self, map: &ForegroundMap) {
        for (pixel, &truth) in map.truth.iter().enumerate() {
            let (foreground, background) = &mut self.counts[usize::from(map.prediction.level16(pixel))];
            *(if truth { foreground } else { background }) += 1;
        }
    }

    /// Adds the pixels of another curve.
    pub fn merge(&mut self, other: &PrecisionRecall) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            count.0 += more.0;
            count.1 += more.1;
        }
    }

    /// The curve, from the highest probability that occurs to the lowest, so that recall grows. Empty without
    /// foreground, for which recall is undefined.
    pub fn points(&self) -> Vec<PrecisionRecallPoint> {
        let all: u64 = self.counts.iter().map(|&(foreground, _)| foreground).sum();
        let (mut found, mut predicted) = (0, 0);
        let mut points = Vec::new();
        for (level, &(foreground, background)) in self.counts.iter().enumerate().rev() {
            if (foreground, background) == (0, 0) {
                continue;
            }
            found += foreground;
            predicted += foreground + background;
            let threshold = level as f64 / (LEVELS - 1) as f64;
            if let (Some(precision), Some(recall)) = (ratio(found, predicted), ratio(found, all)) {
                points.push(PrecisionRecallPoint { threshold, precision, recall });
            }
        }
        points
    }

    /// Average precision, `sum (R_n - R_(n-1)) P_n` over the points of the curve; undefined without foreground.
    pub fn average_precision(&self) -> Option<f64> {
        let points = self.points();
        let mut last_recall = 0.0;
        let mut sum = 0.0;
        for point in &points {
            sum += (point.recall - last_recall) * point.precision;
            last_recall = point.recall;
        }
        (!points.is_empty()).then_some(sum)
    }
}
