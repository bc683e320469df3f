//! Starting a run and resuming one: a training with its folder, its log and its pictures.

use std::path::Path;
use std::sync::Arc;

use dapple_base::{FolderLock, StopFlag};
use dapple_data::{Dataset, Split};
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
    _lock: FolderLock,
}

impl Run {
    /// A new run: checks the settings against the data, splits the data, and writes `config.toml` and `split.json`.
    ///
    /// # Errors
    /// [`RunError::Train`] for settings or data that do not fit, before anything is written; [`RunError::Lock`] for a folder
    /// that another process writes.
    pub fn start(config: TrainConfig, dataset: Arc<Dataset>, folder: RunFolder) -> Result<Self, RunError> {
        let training = Training::new(config, dataset)?;
        let lock = FolderLock::take(folder.path(), LOCK)?;
        folder.prepare()?;
        training.split().save(folder.split())?;
        training.config().save(&folder.config())?;
        Ok(Self { training, folder, _lock: lock })
    }

    /// Resumes the run in `folder`: opens its data again and takes the split from `split.json`.
    ///
    /// # Errors
    /// [`RunError::Read`], [`RunError::BadFile`] and [`RunError::Train`] for the run's files, [`RunError::Data`] for the data,
    /// [`RunError::Lock`] if another process writes the run.
    pub fn resume(folder: &Path) -> Result<Self, RunError> {
        Self::resume_with(folder, None)
    }

    /// As [`Run::resume`], with the data if they are open already.
    ///
    /// # Errors
    /// As [`Run::resume`].
    pub fn resume_with(folder: &Path, dataset: Option<Arc<Dataset>>) -> Result<Self, RunError> {
        let folder = RunFolder::open(folder)?;
        let lock = FolderLock::take(folder.path(), LOCK)?;
        folder.remove_leftovers();
        let config = TrainConfig::load(&folder.config())?;
        let dataset = dataset.map_or_else(|| open_dataset(&config), Ok)?;
        let split = Split::load(folder.split())?;
        let training = Training::resume(config, dataset, split, &folder.files())?;
        Ok(Self { training, folder, _lock: lock })
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
        let Self { training, folder, _lock } = self;
        let mut log = RunLog::new(&folder, observer);
        let outcome = RunRecorder::begin(&training, folder.clone()).and_then(|mut recorder| {
            Ok(training.run(folder.files(), engine, &mut log, &mut recorder, stop)?)
        });
        log.end(&outcome);
        outcome
    }
}
