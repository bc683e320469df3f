//! Collects the salient-object metrics of a data set.

use serde::{Deserialize, Serialize};

use crate::overlap::mean_defined;
use crate::probabilities::ForegroundMap;
use crate::salient::e_measure::e_measure;
use crate::salient::f_measure::{BETA_SQUARED, f_beta, f_measure};
use crate::salient::mae::mean_absolute_error;
use crate::salient::relaxed_f::relaxed_boundary_f;
use crate::salient::s_measure::s_measure;
use crate::salient::weighted_f::weighted_f_measure;
use crate::scores::Policy;

/// Scores of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SalientImageScores {
    /// The image's name.
    pub name: String,
    /// Mean absolute error.
    pub mae: f64,
    /// Largest F-measure over the thresholds.
    pub max_f: f64,
    /// F-measure at the adaptive threshold.
    pub adaptive_f: f64,
    /// S-measure.
    pub s_measure: f64,
    /// Largest E-measure over the thresholds.
    pub max_e: f64,
    /// E-measure at the adaptive threshold.
    pub adaptive_e: f64,
    /// Weighted F-measure.
    pub weighted_f: f64,
    /// Relaxed boundary F-measure.
    pub relaxed_boundary_f: Option<f64>,
}

/// Scores of a data set: means over its images, `None` without images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SalientScores {
    /// Number of images.
    pub images: usize,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Precision and recall are averaged over the images at each threshold, then F taken, then the maximum
    /// (U²-Net's tables).
    pub max_f_of_mean_precision_recall: Option<f64>,
    /// F is averaged over the images at each threshold, then the maximum taken.
    pub max_f_of_mean_f: Option<f64>,
    /// F averaged over the images and the thresholds.
    pub mean_f: Option<f64>,
    /// F-measure at each image's adaptive threshold.
    pub adaptive_f: Option<f64>,
    /// S-measure.
    pub s_measure: Option<f64>,
    /// E averaged over the images at each threshold, then the maximum taken.
    pub max_e: Option<f64>,
    /// E averaged over the images and the thresholds.
    pub mean_e: Option<f64>,
    /// E-measure at each image's adaptive threshold.
    pub adaptive_e: Option<f64>,
    /// Weighted F-measure.
    pub weighted_f: Option<f64>,
    /// Relaxed boundary F-measure, of the images where it is defined.
    pub relaxed_boundary_f: Option<f64>,
    /// The treatment of empty masks.
    #[serde(default)]
    pub policies: Vec<Policy>,
}

/// Collects images; parts of a data set can be scored at the same time and merged in order.
///
/// ```
/// use dapple_metrics::{ForegroundMap, Probabilities, salient::SalientEvaluator};
/// let truth = [true, true, false, false];
/// let mut evaluator = SalientEvaluator::default();
/// evaluator.add("a.png", &ForegroundMap::new(Probabilities::Bits8(&[255, 255, 0, 0]), &truth, 2, 2)?);
/// evaluator.add("b.png", &ForegroundMap::new(Probabilities::Bits8(&[255, 0, 0, 0]), &truth, 2, 2)?);
/// let scores = evaluator.finish();
/// assert_eq!(scores.mae, Some((0.0 + 0.25) / 2.0));
/// // Mean precision 1, mean recall 3/4, against the mean of F = 1 and F = 1.3 * 0.5 / 0.8.
/// assert_eq!(scores.max_f_of_mean_precision_recall, Some(1.3 * 0.75 / (0.3 + 0.75)));
/// assert_eq!(scores.max_f_of_mean_f, Some((1.0 + 1.3 * 0.5 / 0.8) / 2.0));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SalientEvaluator {
    images: Vec<(SalientImageScores, Curves)>,
}

/// The curves of one image, each over the 256 thresholds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "[Vec<f64>; 4]", into = "[Vec<f64>; 4]")]
struct Curves {
    precision: [f64; 256],
    recall: [f64; 256],
    f: [f64; 256],
    e: [f64; 256],
}

impl From<Curves> for [Vec<f64>; 4] {
    fn from(Curves { precision, recall, f, e }: Curves) -> Self {
        [precision, recall, f, e].map(Vec::from)
    }
}

impl TryFrom<[Vec<f64>; 4]> for Curves {
    type Error = String;

    fn try_from(curves: [Vec<f64>; 4]) -> Result<Self, String> {
        let [precision, recall, f, e] = curves.map(<[f64; 256]>::try_from);
        match (precision, recall, f, e) {
            (Ok(precision), Ok(recall), Ok(f), Ok(e)) => Ok(Curves { precision, recall, f, e }),
            _ => Err("a curve has 256 points".to_owned()),
        }
    }
}

impl SalientEvaluator {
    /// Scores one image.
    pub fn add(&mut self, name: &str, map: &ForegroundMap) -> &SalientImageScores {
        let (f, e) = (f_measure(map), e_measure(map));
        let scores = SalientImageScores {
            name: name.to_owned(),
            mae: mean_absolute_error(map),
            max_f: maximum(&f.f),
            adaptive_f: f.adaptive,
            s_measure: s_measure(map),
            max_e: maximum(&e.curve),
            adaptive_e: e.adaptive,
            weighted_f: weighted_f_measure(map),
            relaxed_boundary_f: relaxed_boundary_f(map),
        };
        let curves = Curves { precision: f.precision, recall: f.recall, f: f.f, e: e.curve };
        let at = self.images.len();
        self.images.push((scores, curves));
        &self.images[at].0
    }

    /// Appends the images of another evaluator.
    pub fn merge(&mut self, other: SalientEvaluator) {
        self.images.extend(other.images);
    }

    /// An evaluator for each image, in order.
    pub fn split(self) -> Vec<SalientEvaluator> {
        self.images.into_iter().map(|image| SalientEvaluator { images: vec![image] }).collect()
    }

    /// The scores of each image, in order.
    pub fn images(&self) -> impl Iterator<Item = &SalientImageScores> {
        self.images.iter().map(|(scores, _)| scores)
    }

    /// The scores of all images.
    pub fn finish(&self) -> SalientScores {
        let policies = [
            ("empty truth", "an image without foreground has F, weighted F and recall 0, S = 1 - mean p"),
            ("empty prediction", "precision and F are 0 at thresholds that no pixel reaches"),
            ("normalisation", "maps are scored as given, not stretched to [0, 1]"),
        ]
        .map(|(name, text)| Policy { name: name.to_owned(), text: text.to_owned() })
        .to_vec();
        if self.images.is_empty() {
            return SalientScores { policies, ..SalientScores::default() };
        }
        let mean = |score: fn(&SalientImageScores) -> Option<f64>| mean_defined(self.images().map(score));
        let precision = self.mean_curve(|curves| &curves.precision);
        let recall = self.mean_curve(|curves| &curves.recall);
        let mut f_of_means = [0.0; 256];
        for (f, (&precision, &recall)) in f_of_means.iter_mut().zip(precision.iter().zip(&recall)) {
            *f = f_beta(precision, recall, BETA_SQUARED);
        }
        let (f, e) = (self.mean_curve(|curves| &curves.f), self.mean_curve(|curves| &curves.e));
        SalientScores {
            images: self.images.len(),
            mae: mean(|image| Some(image.mae)),
            max_f_of_mean_precision_recall: Some(maximum(&f_of_means)),
            max_f_of_mean_f: Some(maximum(&f)),
            mean_f: mean_defined(f.map(Some)),
            adaptive_f: mean(|image| Some(image.adaptive_f)),
            s_measure: mean(|image| Some(image.s_measure)),
            max_e: Some(maximum(&e)),
            mean_e: mean_defined(e.map(Some)),
            adaptive_e: mean(|image| Some(image.adaptive_e)),
            weighted_f: mean(|image| Some(image.weighted_f)),
            relaxed_boundary_f: mean(|image| image.relaxed_boundary_f),
            policies,
        }
    }

    /// The mean over the images, of which there is at least one, at each threshold.
    fn mean_curve(&self, curve: impl Fn(&Curves) -> &[f64; 256]) -> [f64; 256] {
        let mut mean = [0.0; 256];
        for (_, curves) in &self.images {
            for (sum, value) in mean.iter_mut().zip(curve(curves)) {
                *sum += value;
            }
        }
        mean.map(|sum| sum / self.images.len() as f64)
    }
}

fn maximum(curve: &[f64; 256]) -> f64 {
    curve.iter().copied().fold(0.0, f64::max)
}
