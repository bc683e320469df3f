//! The contents of a run's folder, read leniently.

use std::path::{Path, PathBuf};

use dapple_metrics::{Bootstrap, ScoreInterval, Scores, score_intervals};

use super::differences::settings;
use super::history::History;
use crate::epochs::{ClassRow, read_class_rows};
use crate::error::RunError;
use crate::examine::Examination;
use crate::folder::{RunFolder, read_json};
use crate::log::{RunInfo, RunProgress};
use crate::text::note_on;

/// The contents of a run's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct RunData {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// The text of `config.toml`.
    pub config: String,
    /// Its origin; `None` for runs of older versions.
    pub info: Option<RunInfo>,
    /// Its progress.
    pub progress: Option<RunProgress>,
    /// The epochs.
    pub history: History,
    /// The classes' scores in each epoch.
    pub class_rows: Vec<ClassRow>,
    /// The best model's validation scores.
    pub scores: Option<Scores>,
    /// The examination of the best model's predictions.
    pub examination: Option<Examination>,
    /// The reason for a missing examination.
    pub not_examined: Option<String>,
    /// Convolutions of the best model that compute in integers, if it was quantized since; 0 unless the caller says so.
    pub int8_convolutions: usize,
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
            int8_convolutions: 0,
        })
    }

    /// A value of the settings, such as `network.name`, as written in the file.
    pub fn setting(&self, key: &str) -> Option<String> {
        settings(&self.config).into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The network's title.
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
        match &self.scores {
            Some(scores) if scores.classes.len() == 2 => ("foreground IoU", scores.classes[1].iou),
            Some(scores) => ("mean IoU", scores.dataset.miou),
            None => match self.history.saved("val_foreground_iou") {
                Some(score) => ("foreground IoU", Some(score)),
                None => ("mean IoU", self.history.saved("val_miou")),
            },
        }
    }

    /// The note on this score: that it is of the averaged weights, if they were saved.
    pub fn note(&self) -> &'static str {
        self.history.best_standing().map_or("", |standing| note_on(standing.weights))
    }

    /// The scores with their intervals; empty without scores of each image.
    pub fn intervals(&self) -> Vec<ScoreInterval> {
        let of = |scores| score_intervals(scores, &Bootstrap::default()).unwrap_or_default();
        self.scores.as_ref().map(of).unwrap_or_default()
    }
}
