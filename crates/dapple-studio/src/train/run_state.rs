//! A training as pages show it, read from its folder.

use std::fs;
use std::path::Path;

use dapple_run::Activity;
use dapple_run::page::{RunData, picture_folders};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The file in a run's folder with the choices of its recipe.
pub(super) const CHOICES: &str = "choices.json";

/// A choice of the automatic recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The setting.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The reason.
    pub reason: String,
}

/// How a training stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It is being planned.
    Waiting,
    /// It trains.
    Running,
    /// It was stopped, and can be resumed.
    Stopped,
    /// It is done.
    Done,
    /// It met an error.
    Failed,
}

/// An epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Its number, from 1.
    pub epoch: usize,
    /// Loss while training.
    pub loss: Option<f64>,
    /// Loss on the validation images.
    pub val_loss: Option<f64>,
    /// IoU of the object for two classes, mean IoU otherwise.
    pub val_iou: Option<f64>,
    /// The same along the borders.
    pub val_biou: Option<f64>,
}

/// A training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunState {
    /// The name of its folder in `runs/`.
    pub name: String,
    /// How it stands.
    pub state: Standing,
    /// The current epoch, from 1.
    pub epoch: usize,
    /// Epochs in all, as far as they are known.
    pub epochs: usize,
    /// Time of training so far, in seconds.
    pub elapsed_s: f64,
    /// Time to go, in seconds.
    pub left_s: Option<f64>,
    /// The best score.
    pub score: Option<f64>,
    /// Its name.
    pub score_name: String,
    /// The reason of a failure.
    pub message: Option<String>,
    /// The choices of its recipe; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Choice>>,
    /// Its epochs; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curves: Option<Vec<CurvePoint>>,
    /// Addresses of pictures of its latest predictions.
    pub pictures: Vec<String>,
    /// The address of its report.
    pub report: Option<String>,
}

impl RunState {
    /// A training of which nothing is known yet.
    pub(super) fn new(name: &str, state: Standing, message: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            state,
            epoch: 0,
            epochs: 0,
            elapsed_s: 0.0,
            left_s: None,
            score: None,
            score_name: String::new(),
            message,
            choices: None,
            curves: None,
            pictures: Vec::new(),
            report: None,
        }
    }

    /// Reads a run's folder. `running` says whether this process trains it.
    ///
    /// # Errors
    /// Those of [`RunData::read`].
    pub(super) fn read(folder: &Path, name: &str, running: bool) -> Result<Self> {
        let run = RunData::read(folder)?;
        let progress = run.progress.clone().unwrap_or_default();
        let state = match progress.state {
            _ if running => Standing::Running,
            Activity::Finished => Standing::Done,
            Activity::Failed => Standing::Failed,
            // One that claims to be at work was killed.
            _ => Standing::Stopped,
        };
        let (score_name, score) = run.selection_score();
        let foreground = run.history.has("val_foreground_iou");
        let (iou, boundary) = match foreground {
            true => ("val_foreground_iou", "val_foreground_boundary_iou"),
            false => ("val_miou", "val_boundary_miou"),
        };
        let point = |(place, row): (usize, &std::collections::BTreeMap<String, f64>)| CurvePoint {
            epoch: row.get("epoch").map_or(place + 1, |epoch| *epoch as usize),
            loss: row.get("train_loss").copied(),
            val_loss: row.get("val_loss").copied(),
            val_iou: row.get(iou).copied(),
            val_biou: row.get(boundary).copied(),
        };
        let address = |file: &str| format!("/runs/{name}/{file}");
        Ok(Self {
            state,
            epoch: progress.epoch,
            epochs: progress.epochs,
            elapsed_s: run.history.sum("seconds"),
            left_s: progress.seconds_left.filter(|_| running),
            score,
            score_name: score_name.to_owned(),
            message: progress.failure.clone(),
            choices: Some(choices(folder)),
            curves: Some(run.history.rows().iter().enumerate().map(point).collect()),
            pictures: pictures(folder).iter().map(|file| address(file)).collect(),
            report: folder.join("report.html").is_file().then(|| address("report.html")),
            ..Self::new(name, state, None)
        })
    }

    /// Without what only a page of this training shows.
    #[must_use]
    pub fn in_list(self) -> Self {
        Self { choices: None, curves: None, ..self }
    }
}

fn choices(folder: &Path) -> Vec<Choice> {
    let text = fs::read(folder.join(CHOICES)).unwrap_or_default();
    // A run that was started elsewhere has none.
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The panels of the latest predictions, or those of the best epoch.
fn pictures(folder: &Path) -> Vec<String> {
    for inner in ["current", "samples"] {
        if !picture_folders().contains(&inner) {
            continue;
        }
        let entries = fs::read_dir(folder.join(inner)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<String> = names
            .filter(|name| name.ends_with(".png"))
            .map(|name| format!("{inner}/{}", encoded(&name)))
            .collect();
        files.sort();
        if !files.is_empty() {
            return files;
        }
    }
    Vec::new()
}

/// A file name in an address.
fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}
