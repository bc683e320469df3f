//! Starting a training and resuming one.

use std::sync::Arc;

use dapple_base::{Alone, Ranks, StopFlag};
use dapple_data::{Dataset, OpenOptions, Split};
use dapple_graph::Engine;

use super::checkpoint::Checkpoint;
use super::files::TrainingFiles;
use super::observer::Observer;
use super::outcome::Outcome;
use super::recorder::Recorder;
use super::session::{Session, Watchers};
use super::setup::{Beginning, Setup};
use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// A training that can be run: settings, data and their split, checked against each other. Nothing is written before
/// [`Training::run`].
#[derive(Debug)]
pub struct Training {
    setup: Setup,
    split: Split,
    beginning: Beginning,
    ranks: Arc<dyn Ranks>,
}

impl Training {
    /// A new training on data that are split as the settings say.
    ///
    /// # Errors
    /// [`TrainError::Config`] and others of [`TrainConfig::check`]; [`TrainError::Data`] without a training image.
    pub fn new(config: TrainConfig, dataset: Arc<Dataset>) -> Result<Self, TrainError> {
        config.check()?;
        let split = config.data.divide(&dataset)?;
        let setup = Setup::new(config, dataset, &split)?;
        let beginning = setup.begin()?;
        Ok(Self { setup, split, beginning, ranks: Arc::new(Alone) })
    }

    /// A training to be resumed from its checkpoint, or started again if it was stopped before the first one was written.
    ///
    /// # Errors
    /// [`TrainError::Read`] and [`TrainError::BadRunFile`] for the checkpoint, [`TrainError::Data`] for data that the split
    /// does not fit.
    pub fn resume(
        config: TrainConfig,
        dataset: Arc<Dataset>,
        split: Split,
        files: &TrainingFiles,
    ) -> Result<Self, TrainError> {
        let setup = Setup::new(config, dataset, &split)?;
        let last = files.last();
        let beginning = match last.exists() {
            true => {
                let (checkpoint, note) = Checkpoint::read(&last, &setup.graph)?;
                let train = setup.parts.train.len();
                let batches = train / setup.config.batch.clamp(1, train);
                if let Some(problem) = checkpoint.position.problem(&setup.config, batches) {
                    return Err(TrainError::BadRunFile { path: last, problem });
                }
                Beginning::Checkpoint(Box::new(checkpoint), note.into_iter().collect())
            }
            false => setup.begin()?,
        };
        Ok(Self { setup, split, beginning, ranks: Arc::new(Alone) })
    }

    /// Divides each batch, and what is scored, among ranks, all of which run the same training. The one with number 0 writes the
    /// files; the others read what they resume from, and never write. A checkpoint can be resumed by any number of ranks.
    #[must_use]
    pub fn over(self, ranks: Arc<dyn Ranks>) -> Self {
        Self { ranks, ..self }
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.setup.config
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.setup.dataset
    }

    /// Epochs that were done before; 0 for a new training.
    pub fn epochs_done(&self) -> usize {
        match &self.beginning {
            Beginning::New(..) => 0,
            Beginning::Checkpoint(checkpoint, _) => checkpoint.position.epochs_done,
        }
    }

    /// The division of the data.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Trains until all epochs are done or `stop` is raised, which ends it after the current batch with its state saved.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] if the loss or the gradient overflows; otherwise those of data, engine and files.
    pub fn run(
        self,
        files: TrainingFiles,
        engine: &dyn Engine,
        observer: &mut dyn Observer,
        recorder: &mut dyn Recorder,
        stop: &StopFlag,
    ) -> Result<Outcome, TrainError> {
        let watchers = Watchers { observer, recorder, stop, ranks: self.ranks };
        Session::begin(self.setup, files, self.beginning, engine, watchers)?.finish()
    }
}

/// Opens the data set of the settings.
///
/// # Errors
/// [`TrainError::Data`].
pub fn open_dataset(config: &TrainConfig) -> Result<Arc<Dataset>, TrainError> {
    let options = OpenOptions {
        format: config.data.format,
        classes: Some(config.network.classes),
        ignore: config.data.ignore,
        coding: config.data.coding,
        mask_orientation: config.data.mask_orientation,
        mask_suffix: config.data.mask_suffix.clone(),
        skip_bad: config.data.skip_bad,
        value_range: config.data.value_range.clone(),
        training: None,
    };
    Ok(Arc::new(Dataset::open(&config.data.dir, &options)?))
}
