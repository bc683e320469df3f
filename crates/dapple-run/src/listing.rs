//! The runs below a folder, a row each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use dapple_base::clock;
use dapple_model::Weights;
use serde::Serialize;

use crate::log::Activity;
use crate::page::RunData;

/// Depth to which folders are searched.
const DEPTH: usize = 6;

/// A run that claims to be active but has written nothing for so many seconds is silent: killed, or very slow.
const SILENT: u64 = 600;

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedRun {
    /// Path of its folder.
    pub run: String,
    /// Name of the network; empty if unknown.
    pub network: String,
    /// Name of the data set; empty if unknown.
    pub data: String,
    /// `finished`, `interrupted`, `failed`, `running` or `silent`; empty if the run does not tell.
    pub state: &'static str,
    /// Epochs trained.
    pub epochs: usize,
    /// The best epoch, from 1.
    pub best_epoch: Option<f64>,
    /// The weights of that epoch that were saved, whose scores follow: as they are, or their average.
    pub weights: Option<Weights>,
    /// Mean IoU of the best epoch.
    pub miou: Option<f64>,
    /// Mean Boundary IoU of the best epoch.
    pub boundary_miou: Option<f64>,
    /// Foreground IoU of the best epoch, for two classes.
    pub foreground_iou: Option<f64>,
    /// Lowest validation loss.
    pub val_loss: Option<f64>,
    /// Time of training.
    pub seconds: f64,
    /// Start, in seconds since 1970.
    pub started: Option<u64>,
}

/// The runs in a folder and below it, to a depth of six folders, by path. Hidden folders and links are not searched, nor are
/// folders within a run.
pub fn runs_below(folder: &Path) -> Vec<ListedRun> {
    let mut folders = Vec::new();
    find(folder, DEPTH, &mut folders);
    // A folder deleted meanwhile is not listed.
    folders.iter().filter_map(|folder| RunData::read(folder).ok()).map(|run| listed(&run)).collect()
}

/// Collects the folders that hold a run.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if folder.join("config.toml").is_file() && folder.join("split.json").is_file() {
        found.push(folder.to_owned());
        return;
    }
    // Unreadable folders hold no runs of this user.
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut below: Vec<PathBuf> = entries
        .flatten()
        // Without links there are no cycles.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    below.sort();
    if depth > 0 {
        below.iter().for_each(|folder| find(folder, depth - 1, found));
    }
}

fn listed(run: &RunData) -> ListedRun {
    let best = |column: &str| run.history.saved(column);
    let loss = run.history.rows().iter().filter_map(|row| row.get("val_loss").copied()).reduce(f64::min);
    let path = run.path.strip_prefix(".").unwrap_or(&run.path);
    ListedRun {
        run: if path.as_os_str().is_empty() { ".".into() } else { path.display().to_string() },
        network: run.setting("network.name").unwrap_or_default(),
        data: run.data(),
        state: state(run),
        epochs: run.history.rows().len(),
        best_epoch: run.history.best().and_then(|row| row.get("epoch").copied()),
        weights: run.history.best_standing().map(|standing| standing.weights),
        miou: best("val_miou"),
        boundary_miou: best("val_boundary_miou"),
        foreground_iou: best("val_foreground_iou"),
        val_loss: loss,
        seconds: run.history.sum("seconds"),
        started: started(run),
    }
}

fn state(run: &RunData) -> &'static str {
    let Some(progress) = &run.progress else { return "" };
    match progress.state {
        Activity::Finished => "finished",
        Activity::Interrupted => "interrupted",
        Activity::Failed => "failed",
        _ if progress.updated + SILENT < clock::now() => "silent",
        Activity::Starting | Activity::Learning | Activity::Scoring => "running",
    }
}

/// Start of the first session; for runs of older versions, the time of the split file.
fn started(run: &RunData) -> Option<u64> {
    let session = run.info.as_ref().and_then(|info| info.sessions.first());
    session.map(|session| session.started).or_else(|| {
        let modified = fs::metadata(run.path.join("split.json")).ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).ok()?.as_secs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_below_a_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for run in ["b", "a/deep", ".hidden", "b/inner"] {
            let run = folder.path().join(run);
            fs::create_dir_all(&run).expect("the folder is writable");
            fs::write(run.join("config.toml"), "").expect("the folder is writable");
            fs::write(run.join("split.json"), "{}").expect("the folder is writable");
        }
        fs::create_dir(folder.path().join("c")).expect("the folder is writable");
        let runs = runs_below(folder.path());
        let names: Vec<&Path> = runs.iter().map(|run| Path::new(&run.run)).collect();
        assert_eq!(names, [folder.path().join("a/deep"), folder.path().join("b")]);
        assert_eq!((runs[0].state, runs[0].epochs, runs[0].miou), ("", 0, None));
        assert!(runs[0].started.is_some());
    }
}
