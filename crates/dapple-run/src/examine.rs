//! The examination of the best model: the parts of a report that need predictions.
//!
//! It is made when a training ends and kept in the run, as `evaluation.json` and the pictures in `extremes/`, so that a
//! report needs neither data nor network later.

use std::path::Path;
use std::sync::Arc;

use dapple_base::{json_fault, write_atomic};
use dapple_data::{CacheSettings, Dataset, InputSettings, Part, Split};
use dapple_graph::{Engine, Executor, Inference, Shape, Tensor};
use dapple_metrics::{BOUNDARY_RATIO, PrecisionRecallPoint, ReliabilityBin, Scores, boundary_distance};
use dapple_nets::Activation;
use dapple_report::{ReportError, colour_map, encode_jpeg, encode_png, error_map};
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::folder::{RunFolder, read_json};
use crate::pictures::{Painter, ranked};
use crate::pixels::PixelCounts;
use dapple_model::{EvaluationSet, decide, load_model};
use dapple_train::{TrainConfig, open_dataset};

/// The approximate number of points kept of the precision-recall curve.
const CURVE_POINTS: usize = 200;
/// The number of images shown of each kind.
const SHOWN: [(Place, usize); 3] = [(Place::Worst, 4), (Place::Median, 2), (Place::Best, 2)];

/// The results of a run's best model on the validation set, at the network's input size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The epoch of the model.
    pub epoch: usize,
    /// Validation images.
    pub images: usize,
    /// Pixels by class of the truth (outer) and of the prediction, ignored ones left out.
    pub confusion: Vec<Vec<u64>>,
    /// Confidence in the predicted class against how often it is right.
    pub calibration: CalibrationResult,
    /// The foreground's curve, for two classes.
    pub precision_recall: Option<PrecisionRecallResult>,
    /// Images with their errors, the worst first.
    pub shown: Vec<ShownImage>,
    /// The data.
    pub data: DataSummary,
}

/// A reliability diagram and its summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationResult {
    /// Bins of equal width.
    pub bins: Vec<ReliabilityBin>,
    /// Expected calibration error.
    pub expected_error: Option<f64>,
    /// Maximum calibration error.
    pub maximum_error: Option<f64>,
}

/// A precision-recall curve and its summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecallResult {
    /// Average precision of the whole curve.
    pub average_precision: Option<f64>,
    /// Some of its points, recall rising.
    pub points: Vec<PrecisionRecallPoint>,
}

/// An image chosen for its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownImage {
    /// The reason for the choice.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The score by which images are ordered: the foreground's IoU of two classes, else the mean IoU.
    pub score: f64,
    /// The same of the boundary regions.
    pub boundary_score: Option<f64>,
    /// Width and height of the pictures in pixels.
    pub size: (u32, u32),
    /// Files in `extremes/`: image, truth, prediction, errors.
    pub files: [String; 4],
}

/// A place in the order of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Among the highest.
    Best,
    /// In the middle.
    Median,
    /// Among the lowest.
    Worst,
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// The folder.
    pub folder: String,
    /// The format it was read in.
    pub format: Option<String>,
    /// The ignored label.
    pub ignore: Option<u8>,
    /// Smallest and largest width and height of the images, in pixels.
    pub sizes: [(usize, usize); 2],
    /// Images of each part.
    pub images: Vec<(Part, usize)>,
    /// The classes in the order of their labels.
    pub classes: Vec<ClassSummary>,
}

/// A class of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSummary {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub colour: [u8; 3],
    /// Its pixels in each part, as [`DataSummary::images`] lists them.
    pub pixels: Vec<u64>,
}

impl Examination {
    /// The examination that a run keeps, if any.
    pub fn load(run: &RunFolder) -> Option<Self> {
        read_json(&run.examination())
    }

    /// Repeats the examination of a run: opens its data and runs its best model.
    ///
    /// # Errors
    /// If the data, the model or the scores are not there or do not fit, or the run's folder cannot be written.
    pub fn make(run: &RunFolder, engine: &dyn Engine) -> Result<Self, RunError> {
        let config = TrainConfig::load(&run.config())?;
        let text = std::fs::read(run.best_scores())
            .map_err(|source| RunError::Read { path: run.best_scores(), source })?;
        let scores: Scores = serde_json::from_slice(&text).map_err(|e| RunError::BadFile {
            path: run.best_scores(),
            problem: format!("not the scores of a run: {}; train it again", json_fault(&e)),
        })?;
        let dataset = open_dataset(&config)?;
        let parts = Split::load(run.split())?.indices(&dataset)?;
        let model = load_model(run.path())?;
        let mut executor = engine.load(Arc::new(model.card.network.clone()), &model.state)?;
        let parts = [(Part::Train, parts.train), (Part::Val, parts.val), (Part::Test, parts.test)];
        let subject = Subject {
            dataset: &dataset,
            folder: &config.data.dir,
            input: config.input,
            parts: &parts,
            scores: &scores,
        };
        subject.examine(run, executor.as_mut(), model.card.epoch, config.network.activation)
    }
}

/// The subject of an examination.
pub(crate) struct Subject<'a> {
    pub dataset: &'a Arc<Dataset>,
    /// Its folder.
    pub folder: &'a Path,
    pub input: InputSettings,
    /// The samples of each part.
    pub parts: &'a [(Part, Vec<usize>)],
    /// Those of the best model, with each image's.
    pub scores: &'a Scores,
}

impl Subject<'_> {
    /// Runs the network, which holds the best model, over the validation part and writes the run's files.
    pub fn examine(
        &self,
        run: &RunFolder,
        executor: &mut dyn Executor,
        epoch: usize,
        activation: Activation,
    ) -> Result<Examination, RunError> {
        let val = self.parts.iter().find(|(part, _)| *part == Part::Val).map_or(&[][..], |(_, all)| all);
        let set = EvaluationSet::new(self.dataset, val, self.input, 1, CacheSettings::None)?;
        let mut counts = PixelCounts::new(self.dataset)?;
        for batch in set.batches() {
            let batch = batch?;
            let (height, width) = (batch.h, batch.w);
            let images = Tensor::new(Shape::new(batch.n, height, width, batch.c), batch.images);
            let logits = executor.infer(&images, Inference::Eval)?.swap_remove(0);
            let probabilities = decide::probabilities(&logits, activation);
            counts.add(&decide::labels(&logits), &probabilities, &batch.labels, (height, width))?;
        }
        let shown = self.draw(run, executor, val)?;
        let examination = Examination {
            epoch,
            images: val.len(),
            confusion: counts.confusion(),
            calibration: CalibrationResult {
                bins: counts.calibration.bins(),
                expected_error: counts.calibration.expected_error(),
                maximum_error: counts.calibration.maximum_error(),
            },
            precision_recall: (counts.classes == 2).then(|| PrecisionRecallResult {
                average_precision: counts.curve.average_precision(),
                points: thinned(&counts.curve.points()),
            }),
            shown,
            data: self.data(),
        };
        let json = serde_json::to_vec_pretty(&examination).expect("it is made of numbers and names");
        write_atomic(run.examination(), &json)?;
        Ok(examination)
    }

    /// Draws the images with the lowest, middle and highest scores.
    fn draw(
        &self,
        run: &RunFolder,
        executor: &mut dyn Executor,
        val: &[usize],
    ) -> Result<Vec<ShownImage>, RunError> {
        let ranked = ranked(self.dataset, val, self.scores);
        let chosen = chosen(ranked.len());
        let painter = Painter::new(self.dataset, self.input)?;
        let samples: Vec<usize> = chosen.iter().map(|&(_, at)| ranked[at].1).collect();
        let distance = boundary_distance(self.input.height, self.input.width, BOUNDARY_RATIO) as u32;
        let folder = run.extremes()?;
        let mut shown = Vec::new();
        for ((place, at), drawn) in chosen.into_iter().zip(painter.show(executor, &samples, self.scores)?) {
            let number = shown.len() + 1;
            let names = ["image.jpg", "truth.png", "prediction.png", "errors.jpg"];
            let files = names.map(|name| format!("{number}-{name}"));
            let background = background(painter.classes.names());
            let (image, truth, prediction) = (&drawn.image, &drawn.truth, &drawn.prediction);
            let errors = error_map(image, truth, prediction, &painter.classes, background, distance)?;
            let pictures = [
                encode_jpeg(&drawn.image),
                encode_png(&colour_map(&drawn.truth, &painter.classes)?),
                encode_png(&colour_map(&drawn.prediction, &painter.classes)?),
                encode_jpeg(&errors),
            ];
            for (file, bytes) in files.iter().zip(pictures) {
                let path = folder.join(file);
                let encode = |source| ReportError::Encode { path: path.clone(), source };
                write_atomic(&path, &bytes.map_err(encode)?)?;
            }
            let image = self.scores.images_detail.iter().flatten().find(|image| image.name == drawn.name);
            let two = self.scores.classes.len() == 2;
            shown.push(ShownImage {
                place,
                score: ranked[at].0,
                boundary_score: image
                    .and_then(|image| if two { image.boundary_iou(1) } else { image.boundary_miou }),
                size: drawn.image.dimensions(),
                name: drawn.name,
                files,
            });
        }
        Ok(shown)
    }

    fn data(&self) -> DataSummary {
        let dataset = self.dataset;
        let statistics: Vec<_> =
            self.parts.iter().map(|(_, samples)| dataset.class_statistics(samples)).collect();
        let classes = dataset.classes();
        let class = |(label, (name, &colour)): (usize, (&String, &[u8; 3]))| ClassSummary {
            name: name.clone(),
            colour,
            pixels: statistics.iter().map(|statistics| statistics.pixels[label]).collect(),
        };
        let sizes = self
            .parts
            .iter()
            .flat_map(|(_, samples)| samples)
            .map(|&sample| dataset.size(sample))
            .map(|size| (size.width, size.height));
        let smallest = sizes.clone().reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)));
        let largest = sizes.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
        DataSummary {
            folder: self.folder.display().to_string(),
            format: dataset.format().map(|format| format.name().to_owned()),
            ignore: dataset.ignore(),
            sizes: [smallest.unwrap_or_default(), largest.unwrap_or_default()],
            images: self.parts.iter().map(|(part, samples)| (*part, samples.len())).collect(),
            classes: classes.names.iter().zip(&classes.colours).enumerate().map(class).collect(),
        }
    }
}

/// The class that stands for nothing in particular: the first of two, or one of that name.
pub(crate) fn background<T: AsRef<str>>(names: &[T]) -> Option<u8> {
    let first = names.first()?;
    (names.len() == 2 || first.as_ref().eq_ignore_ascii_case("background")).then_some(0)
}

/// The places of the shown images in an order from best to worst of `count`, without any twice.
fn chosen(count: usize) -> Vec<(Place, usize)> {
    let mut chosen: Vec<(Place, usize)> = Vec::new();
    for (place, wanted) in SHOWN {
        let first = match place {
            Place::Best => 0,
            Place::Median => (count.saturating_sub(1) / 2 + 1).saturating_sub(wanted / 2),
            Place::Worst => count.saturating_sub(wanted),
        };
        let mut places: Vec<usize> = (first..count.min(first + wanted)).collect();
        if place == Place::Worst {
            places.reverse();
        }
        places.retain(|at| chosen.iter().all(|(_, other)| other != at));
        chosen.extend(places.into_iter().map(|at| (place, at)));
    }
    chosen
}

/// Some points of a curve, evenly over the recall, the first and the last one's among them.
fn thinned(points: &[PrecisionRecallPoint]) -> Vec<PrecisionRecallPoint> {
    let mut kept: Vec<PrecisionRecallPoint> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let far = kept.last().is_none_or(|last| point.recall - last.recall >= 1.0 / CURVE_POINTS as f64);
        if far || at + 1 == points.len() {
            kept.push(*point);
        }
    }
    kept
}

/// The bytes of a picture of a run.
pub(crate) fn picture_bytes(run: &Path, folder: &str, file: &str) -> Option<Vec<u8>> {
    std::fs::read(run.join(folder).join(file)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_image_is_shown_twice_and_the_worst_come_first() {
        assert_eq!(chosen(0), []);
        assert_eq!(chosen(1), [(Place::Worst, 0)]);
        for count in 0..30 {
            let places = chosen(count);
            let mut seen: Vec<usize> = places.iter().map(|&(_, at)| at).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), places.len());
            assert!((count.min(6)..=8).contains(&places.len()), "of {count}");
            assert!(seen.iter().all(|&at| at < count));
        }
        assert_eq!(
            chosen(50)[..5],
            [49, 48, 47, 46]
                .map(|at| (Place::Worst, at))
                .into_iter()
                .chain([(Place::Median, 24)])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_background_is_named_so_or_the_first_of_two() {
        assert_eq!(background(&["ground", "horse"]), Some(0));
        assert_eq!(background(&["Background", "disc", "ring"]), Some(0));
        assert_eq!(background(&["sky", "building", "pole"]), None);
        assert_eq!(background::<&str>(&[]), None);
    }

    #[test]
    fn a_curve_keeps_its_ends() {
        let point = |recall: f64| PrecisionRecallPoint { threshold: 1.0 - recall, precision: 1.0, recall };
        let points: Vec<_> = (0..=10_000).map(|i| point(f64::from(i) / 10_000.0)).collect();
        let kept = thinned(&points);
        assert!(kept.len() <= CURVE_POINTS + 2 && kept[0] == points[0] && kept.last() == points.last());
        assert!(thinned(&[]).is_empty());
    }
}
