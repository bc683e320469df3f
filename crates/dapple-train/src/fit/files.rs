//! The files that a training itself writes and reads again.

use std::path::{Path, PathBuf};

/// The places of a training's files in its folder, which must exist when the training runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingFiles(PathBuf);

impl TrainingFiles {
    /// The files in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// `metrics.jsonl`: a row an epoch, see [`EpochRecord`](crate::EpochRecord); `metrics.csv` is the same as a table.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// `best.safetensors`: the model of the best epoch, complete by itself.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// `best.json`: the validation scores of the best model, with those of each image.
    pub fn best_scores(&self) -> PathBuf {
        self.0.join("best.json")
    }

    /// `last.safetensors`: the state that a resumed training continues from.
    pub fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }
}
