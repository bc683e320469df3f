//! Starting a run and resuming one: a training with its folder, its log and its pictures.

use std::path::Path;
use std::sync::Arc;

use dapple_base::{FolderLock, Ranks, StopFlag};
use dapple_data::{Dataset, Fingerprint, Split};
use dapple_graph::Engine;
use dapple_train::{Observer, Outcome, TrainConfig, Training, open_dataset};

use crate::error::RunError;
use crate::folder::{LOCK, RunFolder};
use crate::log::RunLog;
use crate::recorder::RunRecorder;

/// A training in its folder. The folder is locked until the run is dropped.
#[derive(Debug)]
pub struct Run {
    training: Training,
    folder: RunFolder,
    warnings: Vec<String>,
    _lock: FolderLock,
}

impl Run {
    /// A new run: checks the settings against the data, splits the data, and writes `config.toml`, `split.json` and
    /// `data.json`.
    ///
    /// # Errors
    /// [`RunError::Train`] for settings or data that do not fit, before anything is written; [`RunError::Lock`] for a folder
    /// that another process writes.
    pub fn start(config: TrainConfig, dataset: Arc<Dataset>, folder: RunFolder) -> Result<Self, RunError> {
        let training = Training::new(config, dataset)?;
        let lock = FolderLock::take(folder.path(), LOCK)?;
        folder.prepare()?;
        training.dataset().fingerprint()?.save(&folder.fingerprint())?;
        training.split().save(folder.split())?;
        training.config().save(&folder.config())?;
        Ok(Self { training, folder, warnings: Vec::new(), _lock: lock })
    }

    /// Resumes the run in `folder`: opens its data again and takes the split from `split.json`. [`Run::warnings`] tells
    /// whether the data have changed since the run began.
    ///
    /// # Errors
    /// [`RunError::Read`], [`RunError::BadFile`] and [`RunError::Train`] for the run's files, [`RunError::Data`] for the data,
    /// [`RunError::Lock`] if another process writes the run.
    pub fn resume(folder: &Path) -> Result<Self, RunError> {
        Self::resume_with(folder, None, None)
    }

    /// As [`Run::resume`], with the folder of the data if they have moved, and with the data if they are open already. The
    /// new folder is written to `config.toml`.
    ///
    /// # Errors
    /// As [`Run::resume`].
    pub fn resume_with(
        folder: &Path,
        moved: Option<&Path>,
        dataset: Option<Arc<Dataset>>,
    ) -> Result<Self, RunError> {
        let folder = RunFolder::open(folder)?;
        let lock = FolderLock::take(folder.path(), LOCK)?;
        folder.remove_leftovers();
        let mut config = TrainConfig::load(&folder.config())?;
        let moved = moved.map(|dir| std::path::absolute(dir).unwrap_or(dir.to_owned()));
        let moved = moved.filter(|dir| *dir != config.data.dir);
        let has_moved = moved.is_some();
        config.data.dir = moved.unwrap_or(config.data.dir);
        if dataset.is_none() && !config.data.dir.exists() {
            let problem = format!(
                "the folder of the data, {}, does not exist; if they have moved, give their place with --data",
                config.data.dir.display()
            );
            return Err(RunError::BadFile { path: folder.config(), problem });
        }
        let dataset = dataset.map_or_else(|| open_dataset(&config), Ok)?;
        let split = Split::load(folder.split())?;
        let training = Training::resume(config, dataset, split, &folder.files())?;
        let warnings = changes(&folder, training.dataset())?;
        if has_moved {
            training.config().save_data_dir(&folder.config())?;
        }
        Ok(Self { training, folder, warnings, _lock: lock })
    }

    /// The same run with its batches divided among ranks, of which this is number 0. The others run the same training without its
    /// folder ([`Training::over`]).
    #[must_use]
    pub fn over(self, ranks: Arc<dyn Ranks>) -> Self {
        Self { training: self.training.over(ranks), ..self }
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        self.training.config()
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<Dataset> {
        self.training.dataset()
    }

    /// The division of the data.
    pub fn split(&self) -> &Split {
        self.training.split()
    }

    /// Notes on the data of a resumed run: that they have changed since it began.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The folder of the run.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Trains until all epochs are done or `stop` is raised, which ends the training after the current batch with its state
    /// saved. The folder gets its log, pictures and report on the way.
    ///
    /// # Errors
    /// [`RunError::Train`] from the training; [`RunError::Write`] and others if a file of the run cannot be made.
    pub fn train(
        self,
        engine: &dyn Engine,
        observer: &mut dyn Observer,
        stop: &StopFlag,
    ) -> Result<Outcome, RunError> {
        let Self { training, folder, warnings, _lock } = self;
        let mut log = RunLog::new(&folder, observer);
        warnings.iter().for_each(|warning| log.append(&format!("warning: {warning}")));
        let outcome = RunRecorder::begin(&training, folder.clone()).and_then(|mut recorder| {
            Ok(training.run(folder.files(), engine, &mut log, &mut recorder, stop)?)
        });
        log.end(&outcome);
        outcome
    }
}

/// The changes of a run's data since it began, as warnings. A run without a fingerprint gets that of the data as they are.
fn changes(folder: &RunFolder, dataset: &Dataset) -> Result<Vec<String>, RunError> {
    let (path, now) = (folder.fingerprint(), dataset.fingerprint()?);
    if !path.exists() {
        now.save(&path)?;
        return Ok(vec![
            "this run has no fingerprint of its data, as an earlier version began it: changes since then cannot be told"
                .to_owned(),
        ]);
    }
    let mut warnings = Fingerprint::load(&path)?.differences(now);
    if !warnings.is_empty() {
        warnings.insert(0, "the data have changed since this run began:".to_owned());
        warnings.push(
            "the training goes on with the data as they are; stop it, and restore them or begin a new run, if that is not \
             intended"
                .to_owned(),
        );
    }
    Ok(warnings)
}
