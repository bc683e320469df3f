//! Starting a training and going on with one.

use std::path::Path;
use std::sync::Arc;

use dapple_data::{Dataset, OpenOptions, Split, SplitIndices};
use dapple_graph::Engine;

use crate::session::Session;
use crate::{EpochRecord, Observer, RunFolder, StopFlag, TrainConfig, TrainError};

/// A training that can be run: settings, data and the folder it writes.
#[derive(Debug)]
pub struct Training {
    pub(crate) config: TrainConfig,
    pub(crate) run: RunFolder,
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) parts: SplitIndices,
    pub(crate) resumed: bool,
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done.
    Finished {
        /// Every epoch.
        records: Vec<EpochRecord>,
    },
    /// It was asked to stop and can be resumed.
    Interrupted {
        /// Epochs done.
        epochs_done: usize,
        /// Batches done of the one after them.
        batches_done: usize,
    },
}

impl Training {
    /// A new training: checks the settings against the data, divides the data, and writes `config.toml` and
    /// `split.json`.
    ///
    /// # Errors
    /// [`TrainError::Config`] and others of [`TrainConfig::check`]; [`TrainError::Data`] without a training image.
    pub fn start(config: TrainConfig, dataset: Arc<Dataset>, run: RunFolder) -> Result<Self, TrainError> {
        config.check()?;
        let split = Split::new(&dataset, config.data.split_seed, config.data.train_fraction)?;
        let training = Self::new(config, dataset, run, &split, false)?;
        split.save(training.run.split())?;
        training.config.save(&training.run.config())?;
        Ok(training)
    }

    /// Goes on with the run in `folder`: opens its data again and takes the division from `split.json`.
    ///
    /// # Errors
    /// [`TrainError::Read`] and [`TrainError::BadRunFile`] for the run's files, [`TrainError::Data`] for the data.
    pub fn resume(folder: &Path) -> Result<Self, TrainError> {
        let run = RunFolder::open(folder)?;
        run.remove_leftovers();
        let config = TrainConfig::load(&run.config())?;
        let dataset = open_dataset(&config)?;
        let split = Split::load(run.split())?;
        Self::new(config, dataset, run, &split, true)
    }

    fn new(
        config: TrainConfig,
        dataset: Arc<Dataset>,
        run: RunFolder,
        split: &Split,
        resumed: bool,
    ) -> Result<Self, TrainError> {
        let (network, data) = (config.network.classes, dataset.classes().len());
        if network != data {
            return Err(TrainError::Config(format!(
                "the network has {network} classes but the data has {data}; make them equal"
            )));
        }
        let parts = split.indices(&dataset)?;
        if parts.train.is_empty() {
            return Err(TrainError::Config(
                "there is no training image; give a larger train fraction".into(),
            ));
        }
        Ok(Self { config, run, dataset, parts, resumed })
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// The folder it writes.
    pub fn folder(&self) -> &RunFolder {
        &self.run
    }

    /// Trains until all epochs are done or `stop` is raised, which ends it after the batch at hand with its state saved.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] if the loss or the gradient overflows; otherwise those of data, engine and files.
    pub fn run(
        self,
        engine: &dyn Engine,
        observer: &mut dyn Observer,
        stop: &StopFlag,
    ) -> Result<Outcome, TrainError> {
        Session::begin(self, engine, observer, stop)?.finish()
    }
}

/// Opens the data that the settings name.
///
/// # Errors
/// [`TrainError::Data`].
pub fn open_dataset(config: &TrainConfig) -> Result<Arc<Dataset>, TrainError> {
    let options = OpenOptions {
        classes: Some(config.network.classes),
        ignore: config.data.ignore,
        coding: config.data.coding,
        skip_bad: config.data.skip_bad,
    };
    Ok(Arc::new(Dataset::open(&config.data.dir, &options)?))
}
