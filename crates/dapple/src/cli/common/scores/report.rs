//! All scores of some predictions, as JSON and CSV.

use std::path::Path;

use dapple::metrics::{Bootstrap, Policy, ScoreInterval, Scores, score_intervals};
use dapple_base::{csv_cell, write_atomic};
use serde::Serialize;

use super::measures::{ForegroundScores, Surface, SurfaceScores};
use crate::cli::failure::Failure;

/// Columns of the scores of a foreground's probabilities.
const FOREGROUND: [&str; 8] =
    ["mae", "max_f", "adaptive_f", "s_measure", "max_e", "adaptive_e", "weighted_f", "relaxed_boundary_f"];
/// Columns of a class's distances between contours.
const SURFACE: [&str; 3] = ["hausdorff", "hausdorff_95", "average_surface_distance"];

/// All scores of some predictions. Its JSON is that of [`Scores`] with more keys.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Scores of label maps.
    #[serde(flatten)]
    pub scores: Scores,
    /// Confidence intervals of the means.
    pub intervals: Vec<ScoreInterval>,
    /// Scores of probability maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground: Option<ForegroundScores>,
    /// Distances between contours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface: Option<Vec<SurfaceScores>>,
}

impl Report {
    /// From scores with those of each image, which the intervals need.
    pub fn new(mut scores: Scores, bootstrap: &Bootstrap) -> Result<Self, Failure> {
        let intervals = score_intervals(&scores, bootstrap)?;
        scores.policies.push(Policy { name: "intervals".to_owned(), text: interval_policy(bootstrap) });
        Ok(Self { scores, intervals, foreground: None, surface: None })
    }

    /// Writes a CSV row for each image.
    pub fn write_csv(&self, path: &Path, surfaces: &[Vec<Surface>]) -> Result<(), Failure> {
        let csv = self.scores.images_csv().expect("reports are made of scores with their images");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut header = reader.headers().map_err(Failure::other)?.clone();
        self.columns(!surfaces.is_empty()).iter().for_each(|column| header.push_field(column));
        let cells = |record: &csv::StringRecord| -> Vec<String> {
            record.iter().map(|cell| csv_cell(cell).into_owned()).collect()
        };
        writer.write_record(cells(&header)).map_err(Failure::other)?;
        for (image, record) in reader.records().enumerate() {
            let mut record = record.map_err(Failure::other)?;
            for value in self.values(image, surfaces.get(image)) {
                record.push_field(&value.map(|value| value.to_string()).unwrap_or_default());
            }
            writer.write_record(cells(&record)).map_err(Failure::other)?;
        }
        let bytes = writer.into_inner().map_err(|error| Failure::other(error.into_error()))?;
        Ok(write_atomic(path, &bytes)?)
    }

    /// The names of further columns.
    fn columns(&self, with_surfaces: bool) -> Vec<String> {
        let foreground = FOREGROUND.iter().filter(|_| self.foreground.is_some()).map(|&name| name.to_owned());
        let classes = self.scores.classes.iter().filter(|_| with_surfaces);
        let surfaces = classes.flat_map(|class| SURFACE.map(|kind| format!("{kind} {}", class.name)));
        foreground.chain(surfaces).collect()
    }

    /// Their values for an image; `None` where a score is undefined.
    fn values(&self, image: usize, surfaces: Option<&Vec<Surface>>) -> Vec<Option<f64>> {
        let mut values = Vec::new();
        if let Some(image) = self.foreground.as_ref().and_then(|foreground| foreground.images.get(image)) {
            let scores = [
                image.mae,
                image.max_f,
                image.adaptive_f,
                image.s_measure,
                image.max_e,
                image.adaptive_e,
                image.weighted_f,
            ];
            values.extend(scores.map(Some));
            values.push(image.relaxed_boundary_f);
        }
        for class in surfaces.into_iter().flatten() {
            values.extend((0..SURFACE.len()).map(|which| class.map(|distances| distances[which])));
        }
        values
    }
}

/// The policy of the intervals.
pub fn interval_policy(Bootstrap { resamples, confidence, seed }: &Bootstrap) -> String {
    format!(
        "{} % of {resamples} means over images drawn with replacement (percentile bootstrap, seed {seed})",
        confidence * 100.0
    )
}
