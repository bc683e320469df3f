//! Starting a training and going on with one.

use std::path::Path;
use std::sync::Arc;

use dapple_base::FolderLock;
use dapple_data::{Dataset, OpenOptions, Split, SplitIndices};
use dapple_graph::{Engine, Graph, Network, Shape, State};

use crate::journal::Journal;
use crate::model::init_from;
use crate::rates::rate_factors;
use crate::run_folder::LOCK;
use crate::session::Session;
use crate::{Checkpoint, EpochRecord, Observer, RunFolder, TrainConfig, TrainError};
use dapple_base::StopFlag;

/// A training that can be run: settings, data and the folder it writes.
#[derive(Debug)]
pub struct Training {
    setup: Setup,
    beginning: Beginning,
}

/// What stays the same over a training.
#[derive(Debug)]
pub(crate) struct Setup {
    pub config: TrainConfig,
    pub run: RunFolder,
    pub dataset: Arc<Dataset>,
    pub parts: SplitIndices,
    /// The network for one image.
    pub graph: Graph,
    /// Held while the run is written.
    pub lock: Option<FolderLock>,
}

/// Where a training begins.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// The first state, drawn from the seed, and what a file of weights has put over it, in words.
    New(State, Option<String>),
    /// Where it was left.
    Checkpoint(Box<Checkpoint>),
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
    /// [`TrainError::Config`] and others of [`TrainConfig::check`]; [`TrainError::Data`] without a training image;
    /// [`TrainError::RunInUse`] for the folder of a run that another process writes.
    pub fn start(config: TrainConfig, dataset: Arc<Dataset>, run: RunFolder) -> Result<Self, TrainError> {
        config.check()?;
        let split = config.data.divide(&dataset)?;
        let mut setup = Setup::new(config, dataset, run, &split)?;
        // Whatever can be wrong with the settings is found before anything is written.
        let beginning = setup.begin()?;
        setup.lock = Some(FolderLock::take(setup.run.path(), LOCK)?);
        setup.run.prepare()?;
        split.save(setup.run.split())?;
        setup.config.save(&setup.run.config())?;
        Ok(Self { setup, beginning })
    }

    /// Goes on with the run in `folder`: opens its data again and takes the division from `split.json`.
    ///
    /// # Errors
    /// [`TrainError::Read`] and [`TrainError::BadRunFile`] for the run's files, [`TrainError::Data`] for the data,
    /// [`TrainError::RunInUse`] if another process writes the run.
    pub fn resume(folder: &Path) -> Result<Self, TrainError> {
        Self::resume_with(folder, None)
    }

    /// As [`Training::resume`], with the data, if they are open already.
    ///
    /// # Errors
    /// As [`Training::resume`].
    pub fn resume_with(folder: &Path, dataset: Option<Arc<Dataset>>) -> Result<Self, TrainError> {
        let run = RunFolder::open(folder)?;
        let lock = FolderLock::take(run.path(), LOCK)?;
        run.remove_leftovers();
        let config = TrainConfig::load(&run.config())?;
        let dataset = dataset.map_or_else(|| open_dataset(&config), Ok)?;
        let split = Split::load(run.split())?;
        let setup = Setup { lock: Some(lock), ..Setup::new(config, dataset, run, &split)? };
        let last = setup.run.last();
        // A training that was stopped before its first checkpoint begins anew.
        let beginning = match last.exists() {
            true => Beginning::Checkpoint(Box::new(Checkpoint::load(&last, &setup.graph)?)),
            false => setup.begin()?,
        };
        Ok(Self { setup, beginning })
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.setup.config
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.setup.dataset
    }

    /// The folder it writes.
    pub fn folder(&self) -> &RunFolder {
        &self.setup.run
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
        let mut journal = Journal::new(&self.setup.run, observer);
        let outcome =
            Session::begin(self.setup, self.beginning, engine, &mut journal, stop).and_then(Session::finish);
        journal.end(&outcome);
        outcome
    }
}

impl Setup {
    /// Checks settings, data and division against each other.
    fn new(
        config: TrainConfig,
        dataset: Arc<Dataset>,
        run: RunFolder,
        split: &Split,
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
        let input = config.input;
        let graph = config.network.build(Shape::new(1, input.height, input.width, input.channels))?;
        if let Some(small) = config.small_images.map(|small| small.input(input)) {
            let small = Shape::new(1, small.height, small.width, small.channels);
            config.network.build(small).map_err(|error| {
                TrainError::Config(format!(
                    "small_images: {error}; give a larger scale, or leave the table out"
                ))
            })?;
        }
        rate_factors(&config, graph.params(), 0)?;
        Ok(Self { config, run, dataset, parts, graph, lock: None })
    }

    fn begin(&self) -> Result<Beginning, TrainError> {
        let mut state = State::init(&self.graph, self.config.seed);
        let init = self.config.init.as_deref();
        let note = init.map(|path| init_from(path, &self.config.network, &mut state)).transpose()?;
        Ok(Beginning::New(state, note))
    }
}

/// Opens the data that the settings name.
///
/// # Errors
/// [`TrainError::Data`].
pub fn open_dataset(config: &TrainConfig) -> Result<Arc<Dataset>, TrainError> {
    let options = OpenOptions {
        format: config.data.format,
        classes: Some(config.network.classes),
        ignore: config.data.ignore,
        coding: config.data.coding,
        skip_bad: config.data.skip_bad,
    };
    Ok(Arc::new(Dataset::open(&config.data.dir, &options)?))
}
