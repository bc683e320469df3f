//! Pages about runs, from their folders alone: the report of one or several, and what a live page shows.
//!
//! Everything is read leniently: a run may be in the making, older than this program or newer, and a file may be missing.

mod compare;
mod curves;
mod history;
mod live;
mod measured;
mod sections;

use std::path::{Path, PathBuf};

use dapple_metrics::{Bootstrap, ScoreInterval, Scores, score_intervals};
use dapple_report::document::{Document, Section};

use crate::epochs::{ClassRow, read_class_rows};
use crate::error::RunError;
use crate::examine::Examination;
use crate::folder::{RunFolder, read_json};
use crate::log::{Progress, RunInfo};

pub use compare::{Difference, differences};
pub use history::History;
pub use live::{live, picture_folders};

/// What a run's folder says.
#[derive(Clone, Debug, PartialEq)]
pub struct RunData {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// The text of `config.toml`.
    pub config: String,
    /// Who made it; `None` for runs of older programs.
    pub info: Option<RunInfo>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// The epochs.
    pub history: History,
    /// The classes' scores in each epoch.
    pub class_rows: Vec<ClassRow>,
    /// The best model's validation scores.
    pub scores: Option<Scores>,
    /// What only predictions can tell.
    pub examination: Option<Examination>,
    /// Why there is no examination, in words.
    pub not_examined: Option<String>,
}

impl RunData {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// [`RunError::Read`] if it holds no `config.toml`.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        let run = RunFolder::open(path)?;
        let config = std::fs::read_to_string(run.config())
            .map_err(|source| RunError::Read { path: run.config(), source })?;
        let full = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self {
            name: full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned(),
            path: path.to_owned(),
            config,
            info: read_json(&path.join("run.json")),
            progress: read_json(&path.join("progress.json")),
            history: History::read(&run.metrics()),
            class_rows: read_class_rows(&run.classes()),
            scores: read_json(&run.best_scores()),
            examination: Examination::load(&run),
            not_examined: None,
        })
    }

    /// A value of the settings, such as `network.name`, as it stands in the file.
    pub fn setting(&self, key: &str) -> Option<String> {
        compare::settings(&self.config).into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The network's name as people write it.
    pub fn network(&self) -> String {
        let name = self.setting("network.name").unwrap_or_default();
        dapple_nets::registry::find(&name).map_or(name, |entry| entry.title.to_string())
    }

    /// The last part of the data's folder.
    pub fn data(&self) -> String {
        let dir = self.setting("data.dir").unwrap_or_default();
        Path::new(&dir).file_name().map_or(dir.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// The score by which the best epoch was chosen, with its name: that of the foreground for two classes.
    pub fn selection_score(&self) -> (&'static str, Option<f64>) {
        let best = |column| self.history.best().and_then(|row| row.get(column).copied());
        match &self.scores {
            Some(scores) if scores.classes.len() == 2 => ("foreground IoU", scores.classes[1].iou),
            Some(scores) => ("mean IoU", scores.dataset.miou),
            None => match best("val_foreground_iou") {
                Some(score) => ("foreground IoU", Some(score)),
                None => ("mean IoU", best("val_miou")),
            },
        }
    }

    /// The scores with their intervals; empty without scores of each image.
    pub fn intervals(&self) -> Vec<ScoreInterval> {
        let of = |scores| score_intervals(scores, &Bootstrap::default()).unwrap_or_default();
        self.scores.as_ref().map(of).unwrap_or_default()
    }
}

/// The report of one run, or of several side by side.
pub fn report(runs: &[RunData]) -> Document {
    match runs {
        [run] => single(run),
        runs => compare::several(runs),
    }
}

fn single(run: &RunData) -> Document {
    let sections = [
        sections::summary(run),
        sections::scores(run),
        sections::curves(run),
        sections::classes(run),
        measured::confusion(run),
        measured::calibration(run),
        measured::precision_recall(run),
        measured::images(run),
        measured::strips(run),
        sections::data(run),
        sections::effort(run),
        sections::configuration(run),
        sections::repeat(run),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    Document { title: format!("{} on {}", run.network(), run.data()), lead: sections::lead(run), sections }
}

/// A score with four decimals, or a dash if it is undefined.
fn shown(score: Option<f64>) -> String {
    score.map_or_else(|| "–".into(), |score| format!("{score:.4}"))
}

/// A section.
fn section(id: &str, title: &str, blocks: Vec<dapple_report::document::Block>) -> Section {
    Section { id: id.into(), title: title.into(), blocks }
}

/// What a score is called, by its path in the JSON of [`Scores`].
fn score_name(path: &str) -> String {
    let (of, name) = path.split_once('.').unwrap_or(("", path));
    let name = match name {
        "miou" => "Mean IoU",
        "boundary_miou" => "Mean Boundary IoU",
        "pixel_accuracy" => "Pixel accuracy",
        "mean_accuracy" => "Mean class accuracy",
        "dice" => "Mean Dice",
        "precision" => "Mean precision",
        "min_iou_boundary_iou" => "Mean of the smaller of IoU and Boundary IoU",
        "frequency_weighted_iou" => "Frequency-weighted IoU",
        "kappa" => "Cohen's kappa",
        "bf" => "Boundary F1",
        "foreground_iou" => "Foreground IoU",
        "foreground_boundary_iou" => "Foreground Boundary IoU",
        other => other,
    };
    match of {
        "per_image" => format!("{name}, mean over the images"),
        _ => format!("{name}, over the data set"),
    }
}

#[cfg(test)]
mod tests;
