//! Counts over the pixels of a network's predictions.

use dapple_data::Dataset;
use dapple_metrics::{
    Calibration, ConfusionMatrix, ForegroundMap, MetricsError, PrecisionRecall, Probabilities,
};

/// Bins of the reliability diagram; 15 are usual (Guo et al. 2017).
const BINS: usize = 15;

/// Counts over the images.
pub(crate) struct PixelCounts {
    pub classes: usize,
    ignore: Option<u8>,
    matrix: ConfusionMatrix,
    pub calibration: Calibration,
    /// The foreground's, for two classes.
    pub curve: PrecisionRecall,
}

impl PixelCounts {
    pub fn new(dataset: &Dataset) -> Result<Self, MetricsError> {
        let (classes, ignore) = (dataset.classes().len(), dataset.ignore());
        Ok(Self {
            classes,
            ignore,
            matrix: ConfusionMatrix::new(classes, ignore)?,
            calibration: Calibration::new(BINS)?,
            curve: PrecisionRecall::default(),
        })
    }

    /// Adds an image: labels, `[height, width, class]` probabilities and the truth.
    pub fn add(
        &mut self,
        labels: &[u8],
        probabilities: &[f32],
        truth: &[u8],
        (height, width): (usize, usize),
    ) -> Result<(), MetricsError> {
        self.matrix.add(labels, truth, height, width)?;
        let (mut confidence, mut correct) = (Vec::new(), Vec::new());
        let (mut foreground, mut is_foreground) = (Vec::new(), Vec::new());
        let pixels = labels.iter().zip(truth).zip(probabilities.chunks_exact(self.classes));
        for ((&label, &truth), probabilities) in pixels {
            if Some(truth) == self.ignore {
                continue;
            }
            // A network that has overflowed gives NaN, which counts as zero confidence.
            confidence.push(probabilities[usize::from(label)].max(0.0));
            correct.push(label == truth);
            if self.classes == 2 {
                foreground.push(probabilities[1].max(0.0));
                is_foreground.push(truth == 1);
            }
        }
        self.calibration.add(&confidence, &correct)?;
        if !foreground.is_empty() {
            let values = Probabilities::Unit(&foreground);
            self.curve.add(&ForegroundMap::new(values, &is_foreground, 1, foreground.len())?);
        }
        Ok(())
    }

    /// Pixels by class of the truth (outer) and of the prediction.
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        let row = |truth| (0..self.classes).map(|found| self.matrix.get(truth, found)).collect();
        (0..self.classes).map(row).collect()
    }
}
