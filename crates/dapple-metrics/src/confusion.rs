//! The confusion matrix, from which every region metric of a data set is computed.

use serde::{Deserialize, Serialize};

use crate::error::{MapKind, MetricsError, check_lengths};
use crate::lanes::{Lanes, Work, dispatch};
use crate::overlap::Overlap;

/// Counts of pixels by labelled and predicted class, filled image by image.
///
/// Pixels whose truth is the ignore label are dropped. A prediction of the ignore label on a labelled pixel is
/// a miss for the pixel's class and a false alarm of no class; an ignore label below `classes` therefore takes
/// that class out of every mean.
///
/// ```
/// use dapple_metrics::{ConfusionMatrix, mean_iou, pixel_accuracy};
/// let mut matrix = ConfusionMatrix::new(3, Some(255))?;
/// //          prediction       truth              height, width
/// matrix.add(&[0, 0, 1, 1], &[0, 1, 1, 255], 2, 2)?;
/// assert_eq!((matrix.get(0, 0), matrix.get(1, 0), matrix.get(1, 1)), (1, 1, 1));
/// let classes = matrix.overlaps();
/// // Classes 0 and 1 have IoU 1/2 each; class 2 occurs nowhere and is skipped.
/// assert_eq!(mean_iou(&classes), Some(0.5));
/// assert_eq!(pixel_accuracy(&classes), Some(2.0 / 3.0));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts")]
pub struct ConfusionMatrix {
    classes: usize,
    ignore: Option<u8>,
    /// `classes + 1` rows (truth) and columns (prediction); the last of each is the ignore label's.
    counts: Vec<u64>,
}

/// A matrix as it is read from JSON.
#[derive(Deserialize)]
struct Counts {
    classes: usize,
    ignore: Option<u8>,
    counts: Vec<u64>,
}

impl TryFrom<Counts> for ConfusionMatrix {
    type Error = String;

    fn try_from(Counts { classes, ignore, counts }: Counts) -> Result<Self, String> {
        let matrix = ConfusionMatrix::new(classes, ignore).map_err(|error| error.to_string())?;
        if counts.len() != matrix.counts.len() {
            return Err(format!(
                "a confusion matrix of {classes} classes has {} counts",
                matrix.counts.len()
            ));
        }
        Ok(ConfusionMatrix { counts, ..matrix })
    }
}

impl ConfusionMatrix {
    /// A matrix of zeros for labels `0..classes` and perhaps an ignore label.
    ///
    /// # Errors
    /// [`MetricsError::ClassCount`] unless `classes` is in `1..=256`.
    pub fn new(classes: usize, ignore: Option<u8>) -> Result<Self, MetricsError> {
        if !(1..=256).contains(&classes) {
            return Err(MetricsError::ClassCount(classes));
        }
        let side = classes + 1;
        Ok(ConfusionMatrix { classes, ignore, counts: vec![0; side * side] })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The ignore label.
    pub fn ignore(&self) -> Option<u8> {
        self.ignore
    }

    /// Adds one image: two row-major label maps of `height * width` pixels.
    ///
    /// # Errors
    /// [`MetricsError::UnknownLabel`] for the first label that is neither a class nor the ignore label, and
    /// [`MetricsError::WrongLength`] or [`MetricsError::EmptyImage`] for maps that do not fit the size.
    /// The counts are then unchanged.
    pub fn add(
        &mut self,
        prediction: &[u8],
        truth: &[u8],
        height: usize,
        width: usize,
    ) -> Result<(), MetricsError> {
        check_lengths(prediction.len(), truth.len(), height, width)?;
        check_labels(MapKind::Prediction, prediction, width, self.classes, self.ignore)?;
        check_labels(MapKind::Truth, truth, width, self.classes, self.ignore)?;
        self.count(prediction, truth);
        Ok(())
    }

    /// Counts pixels whose labels are known to be good.
    fn count(&mut self, prediction: &[u8], truth: &[u8]) {
        let side = self.classes + 1;
        let mut column = [self.classes; 256];
        for (class, column) in column.iter_mut().enumerate().take(self.classes) {
            *column = class;
        }
        if let Some(ignore) = self.ignore {
            column[usize::from(ignore)] = self.classes;
        }
        let row = column.map(|column| column * side);

        // Label maps are mostly of one colour nearby: eight equal pixels are counted at once.
        let (prediction_blocks, prediction_rest) = prediction.as_chunks::<8>();
        let (truth_blocks, truth_rest) = truth.as_chunks::<8>();
        for (p, t) in prediction_blocks.iter().zip(truth_blocks) {
            if *p == [p[0]; 8] && *t == [t[0]; 8] {
                self.counts[row[usize::from(t[0])] + column[usize::from(p[0])]] += 8;
            } else {
                for (&p, &t) in p.iter().zip(t) {
                    self.counts[row[usize::from(t)] + column[usize::from(p)]] += 1;
                }
            }
        }
        for (&p, &t) in prediction_rest.iter().zip(truth_rest) {
            self.counts[row[usize::from(t)] + column[usize::from(p)]] += 1;
        }
    }

    /// Adds the counts of another matrix.
    ///
    /// # Errors
    /// [`MetricsError::Mismatch`] if the other has other classes or another ignore label.
    pub fn merge(&mut self, other: &ConfusionMatrix) -> Result<(), MetricsError> {
        if (self.classes, self.ignore) != (other.classes, other.ignore) {
            return Err(MetricsError::Mismatch(format!(
                "{} classes with ignore label {:?}, and {} classes with ignore label {:?}",
                self.classes, self.ignore, other.classes, other.ignore
            )));
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        Ok(())
    }

    /// Pixels labelled `truth` and predicted `prediction`; 0 for a class that does not exist.
    pub fn get(&self, truth: usize, prediction: usize) -> u64 {
        if truth < self.classes && prediction < self.classes {
            self.counts[truth * (self.classes + 1) + prediction]
        } else {
            0
        }
    }

    /// The counts of every class, `classes` of them.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let side = self.classes + 1;
        (0..self.classes)
            .map(|class| Overlap {
                intersection: self.counts[class * side + class],
                predicted: (0..self.classes).map(|truth| self.counts[truth * side + class]).sum(),
                labelled: self.counts[class * side..(class + 1) * side].iter().sum(),
            })
            .collect()
    }
}

/// Checks that every label is a class or the ignore label.
pub(crate) fn check_labels(
    map: MapKind,
    labels: &[u8],
    width: usize,
    classes: usize,
    ignore: Option<u8>,
) -> Result<(), MetricsError> {
    let last = u8::try_from(classes - 1).unwrap_or(u8::MAX);
    if largest(labels) <= last {
        return Ok(());
    }
    // Comparing with a label that is surely allowed keeps the scan free of branches.
    let allowed = ignore.unwrap_or(0);
    let unknown = |label: u8| (label > last) & (label != allowed);
    for (block, labels) in labels.chunks(4096).enumerate() {
        if labels.iter().fold(false, |found, &label| found | unknown(label)) {
            for (offset, &value) in labels.iter().enumerate() {
                if unknown(value) {
                    let at = block * 4096 + offset;
                    let (row, column) = (at / width, at % width);
                    return Err(MetricsError::UnknownLabel { map, value, row, column, classes, ignore });
                }
            }
        }
    }
    Ok(())
}

/// The largest label of a map; 0 of none.
fn largest(labels: &[u8]) -> u8 {
    struct Largest<'a>(&'a [u8]);
    impl Work for Largest<'_> {
        type Output = u8;

        #[inline(always)]
        fn run(self, _: impl Lanes) -> u8 {
            self.0.iter().fold(0, |largest, &label| largest.max(label))
        }
    }
    dispatch(Largest(labels))
}
