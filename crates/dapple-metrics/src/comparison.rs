//! Intervals of every mean, and the paired comparison of two models on the same images.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Interval};
use crate::error::MetricsError;
use crate::overlap::{Overlap, mean_defined};
use crate::scores::{DatasetScores, ImageScores, Scores};

/// A score of a data set with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreInterval {
    /// The score's path in the JSON of [`Scores`], such as `dataset.miou`.
    pub score: String,
    /// Its value and interval; `None` if it is undefined.
    pub interval: Option<Interval>,
}

/// One score of two models on the same images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreDifference {
    /// The score's path in the JSON of [`Scores`], such as `dataset.miou`.
    pub score: String,
    /// The first model's.
    pub first: Option<f64>,
    /// The second model's.
    pub second: Option<f64>,
    /// Second less first, with the interval of that difference; `None` if one is undefined.
    pub difference: Option<Interval>,
}

/// Intervals of the means under `dataset` and `per_image`, over the images.
///
/// # Errors
/// [`MetricsError::NotPaired`] if the scores were kept without their images, [`MetricsError::Setting`] for settings
/// that [`Bootstrap::check`] refuses.
pub fn score_intervals(scores: &Scores, bootstrap: &Bootstrap) -> Result<Vec<ScoreInterval>, MetricsError> {
    let images: Vec<&ImageScores> = images_of(scores, "the scores")?.iter().collect();
    let classes = scores.classes.len();
    let intervals = bootstrap.statistics(images.len(), |drawn| {
        let drawn: Vec<&ImageScores> = drawn.iter().map(|&image| images[image]).collect();
        means(&drawn, classes).into_iter().map(|(_, value)| value).collect()
    })?;
    let names = means(&[], classes).into_iter().map(|(name, _)| name.to_owned());
    Ok(names.zip(intervals).map(|(score, interval)| ScoreInterval { score, interval }).collect())
}

/// Compares two models scored on the same images: each resample draws the same images for both, so that what makes
/// an image hard for both does not widen the interval of their difference.
///
/// ```
/// use dapple_metrics::{Bootstrap, Evaluator, Protocol, compare_scores};
/// let truth = [0, 0, 1, 1];
/// let score = |predictions: [[u8; 4]; 2]| {
///     let mut evaluator = Evaluator::new(Protocol::new(["background", "horse"], None)).unwrap();
///     for (name, prediction) in ["a.png", "b.png"].iter().zip(predictions) {
///         evaluator.add(name, &prediction, &truth, 2, 2).unwrap();
///     }
///     evaluator.finish_with_images()
/// };
/// let (first, second) = (score([[0, 0, 0, 1], [0, 0, 0, 1]]), score([[0, 0, 1, 1], [0, 0, 1, 1]]));
/// let differences = compare_scores(&first, &second, &Bootstrap::default())?;
/// let foreground = differences.iter().find(|entry| entry.score == "per_image.foreground_iou").unwrap();
/// // Each image gains the same: from 1/2 to 1.
/// let interval = foreground.difference.unwrap();
/// assert_eq!((interval.value, interval.low, interval.high), (0.5, 0.5, 0.5));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// [`MetricsError::NotPaired`] if one was kept without its images, if the images' names differ or occur twice, or if
/// the classes differ; [`MetricsError::Setting`] for settings that [`Bootstrap::check`] refuses.
pub fn compare_scores(
    first: &Scores,
    second: &Scores,
    bootstrap: &Bootstrap,
) -> Result<Vec<ScoreDifference>, MetricsError> {
    let pairs = paired_images(first, second)?;
    let classes = first.classes.len();
    let both = |drawn: &[usize]| {
        let model = |of: fn(&(_, _)) -> &'_ ImageScores| -> Vec<&ImageScores> {
            drawn.iter().map(|&image| of(&pairs[image])).collect()
        };
        (means(&model(|pair| pair.0), classes), means(&model(|pair| pair.1), classes))
    };
    let differences = bootstrap.statistics(pairs.len(), |drawn| {
        let (first, second) = both(drawn);
        first.iter().zip(second).map(|(first, second)| Some(second.1? - first.1?)).collect()
    })?;
    let all: Vec<usize> = (0..pairs.len()).collect();
    let (first, second) = both(&all);
    Ok(first
        .into_iter()
        .zip(second)
        .zip(differences)
        .map(|(((score, first), (_, second)), difference)| ScoreDifference {
            score: score.to_owned(),
            first,
            second,
            difference,
        })
        .collect())
}

fn images_of<'a>(scores: &'a Scores, which: &str) -> Result<&'a [ImageScores], MetricsError> {
    scores.images_detail.as_deref().ok_or_else(|| {
        MetricsError::NotPaired(format!(
            "{which} were kept without those of each image (images_detail): score again, keeping the images"
        ))
    })
}

/// The images of both, in the first's order.
fn paired_images<'a>(
    first: &'a Scores,
    second: &'a Scores,
) -> Result<Vec<(&'a ImageScores, &'a ImageScores)>, MetricsError> {
    let names = |scores: &Scores| scores.classes.iter().map(|class| class.name.clone()).collect::<Vec<_>>();
    if names(first) != names(second) {
        return Err(MetricsError::NotPaired(format!(
            "the first scores are of the classes {:?}, the second of {:?}: compare models of the same classes",
            names(first),
            names(second)
        )));
    }
    let first = images_of(first, "the first scores")?;
    let second = images_of(second, "the second scores")?;
    let by_name: HashMap<&str, &ImageScores> =
        second.iter().map(|image| (image.name.as_str(), image)).collect();
    let distinct = first.iter().map(|image| &image.name).collect::<std::collections::HashSet<_>>();
    if by_name.len() != second.len() || distinct.len() != first.len() || first.len() != second.len() {
        return Err(MetricsError::NotPaired(format!(
            "the first scores have {} images ({} names), the second {} ({} names): score the same images once each",
            first.len(),
            distinct.len(),
            second.len(),
            by_name.len()
        )));
    }
    let pair = |image: &'a ImageScores| match by_name.get(image.name.as_str()) {
        Some(&other) => Ok((image, other)),
        None => Err(MetricsError::NotPaired(format!(
            "image {} is in the first scores but not in the second: score the same images",
            image.name
        ))),
    };
    first.iter().map(pair).collect()
}

/// The means under `dataset` and `per_image`, by their paths, of the given images.
fn means(images: &[&ImageScores], classes: usize) -> Vec<(&'static str, Option<f64>)> {
    let mut region = vec![Overlap::default(); classes];
    let mut boundary = region.clone();
    for entry in images.iter().flat_map(|image| &image.classes) {
        // A file may be inconsistent: an entry of a class that it does not list is passed over.
        let class = usize::from(entry.class);
        if class < classes {
            region[class].merge(entry.region);
            boundary[class].merge(entry.boundary);
        }
    }
    let dataset = DatasetScores::from_overlaps(&region, &boundary);
    let mean = |score: fn(&ImageScores) -> Option<f64>| mean_defined(images.iter().map(|image| score(image)));
    let mut means = vec![
        ("dataset.miou", dataset.miou),
        ("dataset.boundary_miou", dataset.boundary_miou),
        ("dataset.pixel_accuracy", dataset.pixel_accuracy),
        ("dataset.mean_accuracy", dataset.mean_accuracy),
        ("dataset.dice", dataset.dice),
        ("dataset.precision", dataset.precision),
        ("dataset.min_iou_boundary_iou", dataset.min_iou_boundary_iou),
        ("dataset.frequency_weighted_iou", dataset.frequency_weighted_iou),
        ("dataset.kappa", dataset.kappa),
        ("per_image.miou", mean(|image| image.miou)),
        ("per_image.boundary_miou", mean(|image| image.boundary_miou)),
        ("per_image.pixel_accuracy", mean(|image| image.pixel_accuracy)),
        ("per_image.mean_accuracy", mean(|image| image.mean_accuracy)),
        ("per_image.dice", mean(|image| image.dice)),
        ("per_image.min_iou_boundary_iou", mean(|image| image.min_iou_boundary_iou)),
        ("per_image.bf", mean(|image| image.bf)),
    ];
    if classes == 2 {
        means.push(("per_image.foreground_iou", mean(|image| image.iou(1))));
        means.push(("per_image.foreground_boundary_iou", mean(|image| image.boundary_iou(1))));
    }
    means
}
