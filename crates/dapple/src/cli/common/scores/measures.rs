//! Scores beyond label maps: of a foreground's probabilities, and of distances between contours.

use dapple::metrics::salient::{SalientEvaluator, SalientImageScores, SalientScores};
use dapple::metrics::{
    Calibration, ForegroundMap, MetricsError, PrecisionRecall, PrecisionRecallPoint, Probabilities,
    ReliabilityBin, mean_defined, surface_distances,
};
use serde::{Deserialize, Serialize};

/// Usual number of bins of the reliability diagram.
const CALIBRATION_BINS: usize = 15;
/// Most points of the written precision-recall curve.
const CURVE_POINTS: usize = 256;

/// Scores of probability maps.
#[derive(Debug, Serialize)]
pub struct ForegroundScores {
    /// Salient-object scores.
    pub salient: SalientScores,
    /// Average precision of all pixels.
    pub average_precision: Option<f64>,
    /// Expected calibration error.
    pub expected_calibration_error: Option<f64>,
    /// Maximum calibration error.
    pub maximum_calibration_error: Option<f64>,
    /// The reliability diagram.
    pub reliability: Vec<ReliabilityBin>,
    /// The precision-recall curve, evenly thinned to at most 256 points.
    pub precision_recall: Vec<PrecisionRecallPoint>,
    /// Salient-object scores of each image.
    pub images: Vec<SalientImageScores>,
}

/// Collects probability maps.
#[derive(Serialize, Deserialize)]
pub struct ForegroundEvaluator {
    salient: SalientEvaluator,
    precision_recall: PrecisionRecall,
    calibration: Calibration,
}

impl ForegroundEvaluator {
    pub fn new() -> Result<Self, MetricsError> {
        Ok(Self {
            salient: SalientEvaluator::default(),
            precision_recall: PrecisionRecall::default(),
            calibration: Calibration::new(CALIBRATION_BINS)?,
        })
    }

    /// Adds one image with its true labels, 0 and 1.
    pub fn add(
        &mut self,
        name: &str,
        prediction: Probabilities<'_>,
        truth: &[u8],
        height: usize,
        width: usize,
    ) -> Result<(), MetricsError> {
        let is_foreground: Vec<bool> = truth.iter().map(|&label| label == 1).collect();
        let map = ForegroundMap::new(prediction, &is_foreground, height, width)?;
        self.salient.add(name, &map);
        self.precision_recall.add(&map);
        let probabilities = (0..truth.len()).map(|pixel| prediction.value(pixel) as f32);
        // The confidence is the probability of the predicted class.
        let (confidence, correct): (Vec<f32>, Vec<bool>) =
            probabilities.zip(&is_foreground).map(|(p, &truth)| (p.max(1.0 - p), (p > 0.5) == truth)).unzip();
        self.calibration.add(&confidence, &correct)
    }

    pub fn merge(&mut self, later: Self) -> Result<(), MetricsError> {
        self.salient.merge(later.salient);
        self.precision_recall.merge(&later.precision_recall);
        self.calibration.merge(&later.calibration)
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.salient.images().count()
    }

    /// Several as one, whose images are in `order`: for each the place of its part, and its place in that part.
    pub fn joined(parts: Vec<Self>, order: &[(usize, usize)]) -> Result<Self, MetricsError> {
        let (mut whole, mut images) = (Self::new()?, Vec::new());
        for part in parts {
            whole.precision_recall.merge(&part.precision_recall);
            whole.calibration.merge(&part.calibration)?;
            images.push(part.salient.split().into_iter().map(Some).collect::<Vec<_>>());
        }
        let mut take = |&(part, place): &(usize, usize)| images.get_mut(part)?.get_mut(place)?.take();
        for image in order.iter().filter_map(&mut take) {
            whole.salient.merge(image);
        }
        Ok(whole)
    }

    pub fn finish(&self) -> ForegroundScores {
        let points = self.precision_recall.points();
        let step = points.len().div_ceil(CURVE_POINTS).max(1);
        ForegroundScores {
            salient: self.salient.finish(),
            average_precision: self.precision_recall.average_precision(),
            expected_calibration_error: self.calibration.expected_error(),
            maximum_calibration_error: self.calibration.maximum_error(),
            reliability: self.calibration.bins(),
            precision_recall: points.into_iter().step_by(step).collect(),
            images: self.salient.images().cloned().collect(),
        }
    }
}

/// Distances between the contours of one class, in pixels: means over the images that have it in both maps.
#[derive(Debug, Serialize)]
pub struct SurfaceScores {
    /// The class's name.
    pub name: String,
    /// Images that have the class in both maps.
    pub images: usize,
    /// Hausdorff distance.
    pub hausdorff: Option<f64>,
    /// Its 95th percentile.
    pub hausdorff_95: Option<f64>,
    /// Average symmetric surface distance.
    pub average: Option<f64>,
}

/// The distances of one class in one image: Hausdorff, its 95th percentile, average.
pub type Surface = Option<[f64; 3]>;

/// The distances of every class of two label maps. Pixels whose truth is the ignore label are of no class.
pub fn surfaces(
    prediction: &[u8],
    truth: &[u8],
    (height, width): (usize, usize),
    classes: usize,
    ignore: Option<u8>,
) -> Result<Vec<Surface>, MetricsError> {
    let mask = |labels: &[u8], class: u8| -> Vec<bool> {
        let scored = |truth: u8| Some(truth) != ignore;
        labels.iter().zip(truth).map(|(&label, &truth)| label == class && scored(truth)).collect()
    };
    (0..=u8::MAX)
        .take(classes)
        .map(|class| {
            if !(prediction.contains(&class) && truth.contains(&class)) {
                return Ok(None);
            }
            let found = surface_distances(&mask(prediction, class), &mask(truth, class), height, width)?;
            Ok(found.map(|distances| [distances.hausdorff, distances.hausdorff_95, distances.average]))
        })
        .collect()
}

/// The means over the images, in their order.
pub fn mean_surfaces(names: &[String], images: &[Vec<Surface>]) -> Vec<SurfaceScores> {
    let of_class = |(class, name): (usize, &String)| {
        let mean = |which: usize| mean_defined(images.iter().map(|image| Some(image[class]?[which])));
        SurfaceScores {
            name: name.clone(),
            images: images.iter().filter(|image| image[class].is_some()).count(),
            hausdorff: mean(0),
            hausdorff_95: mean(1),
            average: mean(2),
        }
    };
    names.iter().enumerate().map(of_class).collect()
}
