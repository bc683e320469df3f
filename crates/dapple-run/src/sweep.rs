//! Several trainings that belong together: all folds of a cross-validation, or several seeds.
//!
//! The folder holds `config.toml` (the settings that all share), `sweep.json` (what differs), a run for each member
//! (`fold-0`, `seed-0`, …), and when all are done `members.csv`. Folds also give `ensemble.safetensors`, their models in
//! one file with the out-of-fold scores: each image scored by the model that was not trained on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dapple_base::{json_fault, write_atomic};
use dapple_data::Dataset;
use dapple_metrics::{DatasetScores, ImageScores, Overlap, Scores};
use dapple_nets::checkpoint::Ensemble;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::RunError;
use crate::folder::RunFolder;
use crate::run::Run;
use dapple_model::load_model;
use dapple_train::{EpochRecord, TrainConfig, TrainError, best_epoch, open_dataset, read_records};

const FILE: &str = "sweep.json";

/// The difference between the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SweepKind {
    /// Each validates on another fold, of this number.
    Folds(usize),
    /// Each has another seed, of this number, counted from that of the settings; the split is the same.
    Seeds(usize),
}

/// Trainings that belong together, in one folder.
#[derive(Clone, Debug)]
pub struct Sweep {
    folder: PathBuf,
    config: TrainConfig,
    kind: SweepKind,
}

/// The results of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepResult {
    /// Name and best epoch of each member that scored one.
    pub members: Vec<(String, EpochRecord)>,
    /// Mean and sample deviation of the members' selection scores; no deviation of a single one.
    pub score: Option<(f64, Option<f64>)>,
    /// The file of all folds' models with the scores of all images together.
    pub ensemble: Option<(PathBuf, DatasetScores)>,
}

impl Sweep {
    /// A new sweep: writes the shared settings. A run or sweep that stands in the folder is an error unless `force` says
    /// that it may be replaced.
    ///
    /// # Errors
    /// [`TrainError::Config`] for fewer than two members, and those of [`RunFolder::claim`].
    pub fn start(folder: &Path, config: TrainConfig, kind: SweepKind, force: bool) -> Result<Self, RunError> {
        let mut config = config;
        match kind {
            SweepKind::Folds(count) | SweepKind::Seeds(count) if count < 2 => {
                let problem = format!("a sweep of {count} is not a comparison; give at least 2 members");
                return Err(TrainError::Config(problem).into());
            }
            SweepKind::Folds(count) => config.data.folds = Some(count),
            SweepKind::Seeds(_) => {}
        }
        config.check()?;
        let run = RunFolder::claim(folder, force)?;
        run.prepare()?;
        let sweep = Self { folder: folder.to_owned(), config, kind };
        for name in sweep.members() {
            // A replaced sweep's finished members are not those of the new settings.
            let member = folder.join(name);
            if RunFolder::open(&member).is_ok() {
                RunFolder::claim(&member, true)?.prepare()?;
            }
        }
        let json = serde_json::to_vec(&kind).expect("a kind is a word and a number");
        sweep.config.save(&run.config())?;
        write_atomic(folder.join(FILE), &json)?;
        Ok(sweep)
    }

    /// Whether the folder holds a sweep.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// The sweep in a folder, to resume it.
    ///
    /// # Errors
    /// [`RunError::Read`] and [`RunError::BadFile`] for its files.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(FILE);
        let bytes = fs::read(&path).map_err(|source| RunError::Read { path: path.clone(), source })?;
        let kind = serde_json::from_slice(&bytes).map_err(|e| RunError::BadFile {
            path,
            problem: format!("not the description of a sweep: {}; start again with --force", json_fault(&e)),
        })?;
        let config = TrainConfig::load(&RunFolder::open(folder)?.config())?;
        Ok(Self { folder: folder.to_owned(), config, kind })
    }

    /// Takes the data from another folder, which is written to `config.toml`; members follow when they are resumed.
    ///
    /// # Errors
    /// [`RunError::Train`] if the file cannot be written.
    pub fn move_data(&mut self, dir: &Path) -> Result<(), RunError> {
        self.config.data.dir = std::path::absolute(dir).unwrap_or(dir.to_owned());
        Ok(self.config.save_data_dir(&RunFolder::open(&self.folder)?.config())?)
    }

    /// The shared settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of the members, which are their folders'.
    pub fn members(&self) -> Vec<String> {
        match self.kind {
            SweepKind::Folds(count) => (0..count).map(|i| format!("fold-{i}")).collect(),
            SweepKind::Seeds(count) => (0..count).map(|i| format!("seed-{i}")).collect(),
        }
    }

    /// The run of a member, started or resumed; one that is finished ends at once when it is trained.
    ///
    /// # Errors
    /// Those of [`Run::start`] and [`Run::resume`].
    pub fn member(&self, index: usize, dataset: &Arc<Dataset>) -> Result<Run, RunError> {
        let folder = self.folder.join(&self.members()[index]);
        // Both files are there when a training has begun.
        if folder.join("config.toml").exists() && folder.join("split.json").exists() {
            return Run::resume_with(&folder, Some(&self.config.data.dir), Some(Arc::clone(dataset)));
        }
        let mut config = self.config.clone();
        match self.kind {
            SweepKind::Folds(_) => config.data.fold = index,
            SweepKind::Seeds(_) => config.seed += index as u64,
        }
        Run::start(config, Arc::clone(dataset), RunFolder::claim(&folder, true)?)
    }

    /// The data of all members.
    ///
    /// # Errors
    /// [`RunError::Data`].
    pub fn dataset(&self) -> Result<Arc<Dataset>, RunError> {
        Ok(open_dataset(&self.config)?)
    }

    /// Compares the finished members and writes `members.csv` and, of folds, `ensemble.safetensors`.
    ///
    /// # Errors
    /// [`RunError::Read`] and others for files of members that are not finished or damaged.
    pub fn finish(&self) -> Result<SweepResult, RunError> {
        let mut members = Vec::new();
        for name in self.members() {
            let records = read_records(&self.folder.join(&name).join("metrics.jsonl"))?;
            members.extend(best_epoch(&records).map(|best| (name, best.clone())));
        }
        let scores: Vec<f64> = members.iter().filter_map(|(_, best)| best.selection_score()).collect();
        let score = mean_and_deviation(&scores);
        write_atomic(self.folder.join("members.csv"), table(&members).as_bytes())?;
        let ensemble = match self.kind {
            SweepKind::Folds(_) => Some(self.unite()?),
            SweepKind::Seeds(_) => None,
        };
        Ok(SweepResult { members, score, ensemble })
    }

    /// The folds' models in one file, with the scores of all images, each by the model that did not see it.
    fn unite(&self) -> Result<(PathBuf, DatasetScores), RunError> {
        let mut models = Vec::new();
        let mut images = Vec::new();
        for name in self.members() {
            let run = RunFolder::open(&self.folder.join(name))?;
            models.push(load_model(run.path())?);
            let path = run.best_scores();
            let bytes = fs::read(&path).map_err(|source| RunError::Read { path: path.clone(), source })?;
            let scores: Scores = serde_json::from_slice(&bytes).map_err(|e| RunError::BadFile {
                path,
                problem: format!("not the scores of a run: {}; train the fold again", json_fault(&e)),
            })?;
            images.extend(scores.images_detail.unwrap_or_default());
        }
        let scores = together(&images, self.config.network.classes);
        let out_of_fold = serde_json::to_value(&scores).unwrap_or(Value::Null);
        let scores_of_all = Map::from_iter([("out_of_fold".to_owned(), out_of_fold)]);
        let path = self.folder.join("ensemble.safetensors");
        Ensemble { members: models, scores: scores_of_all }.save(&path)?;
        Ok((path, scores))
    }
}

/// Scores of all images from their summed counts.
fn together(images: &[ImageScores], classes: usize) -> DatasetScores {
    let (mut region, mut boundary) = (vec![Overlap::default(); classes], vec![Overlap::default(); classes]);
    let add = |to: &mut Overlap, from: &Overlap| {
        to.intersection += from.intersection;
        to.predicted += from.predicted;
        to.labelled += from.labelled;
    };
    for class in images.iter().flat_map(|image| &image.classes) {
        let index = usize::from(class.class);
        if index < classes {
            add(&mut region[index], &class.region);
            add(&mut boundary[index], &class.boundary);
        }
    }
    DatasetScores::from_overlaps(&region, &boundary)
}

/// Mean and sample deviation.
fn mean_and_deviation(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    (!values.is_empty()).then_some((mean, deviation))
}

/// One row per member, then mean and deviation; undefined scores are empty.
fn table(members: &[(String, EpochRecord)]) -> String {
    type Column = (&'static str, fn(&EpochRecord) -> Option<f64>);
    const COLUMNS: [Column; 6] = [
        ("score", EpochRecord::selection_score),
        ("val_loss", |r| r.val_loss),
        ("val_miou", |r| r.val_miou),
        ("val_boundary_miou", |r| r.val_boundary_miou),
        ("val_pixel_accuracy", |r| r.val_pixel_accuracy),
        ("average_val_miou", |r| r.average_val_miou),
    ];
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |member: &str, epoch: &str, cells: Vec<String>| {
        let record = [member.to_owned(), epoch.to_owned()].into_iter().chain(cells);
        csv.write_record(record).expect("rows of one length are written to memory");
    };
    let cell = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    row("member", "best_epoch", COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (name, best) in members {
        row(name, &best.epoch.to_string(), COLUMNS.iter().map(|(_, of)| cell(of(best))).collect());
    }
    let of_all = |of: fn(&EpochRecord) -> Option<f64>| {
        mean_and_deviation(&members.iter().filter_map(|(_, best)| of(best)).collect::<Vec<_>>())
    };
    row("mean", "", COLUMNS.iter().map(|(_, of)| cell(of_all(*of).map(|(mean, _)| mean))).collect());
    let deviation = |of| cell(of_all(of).and_then(|(_, deviation)| deviation));
    row("deviation", "", COLUMNS.iter().map(|(_, of)| deviation(*of)).collect());
    let bytes = csv.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("cells are text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_means_and_deviations() {
        let row = |miou| EpochRecord { epoch: 3, val_miou: Some(miou), ..EpochRecord::default() };
        let csv = table(&[("seed-0".into(), row(0.5)), ("seed-1".into(), row(0.75))]);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[1], "seed-0,3,0.5,,0.5,,,");
        assert_eq!(lines[3], "mean,,0.625,,0.625,,,");
        // Of two values, the deviation is their distance over the root of 2.
        assert!(lines[4].starts_with("deviation,,0.1767766952966369,"), "{}", lines[4]);
        assert_eq!(mean_and_deviation(&[]), None);
        assert_eq!(mean_and_deviation(&[0.5]), Some((0.5, None)));
    }
}
