//! The fixed parts of a training, checked against each other, and its first state.

use std::sync::Arc;

use dapple_data::{Dataset, Split, SplitIndices};
use dapple_graph::{Graph, Network, Shape, State};

use super::checkpoint::Checkpoint;
use super::initial::Initial;
use super::rates::rate_factors;
use crate::config::train_config::TrainConfig;
use crate::config::unlabelled::UnlabelledConfig;
use crate::error::TrainError;

/// The parts that stay the same over a training.
#[derive(Debug)]
pub(crate) struct Setup {
    pub config: TrainConfig,
    pub dataset: Arc<Dataset>,
    /// Images without labels.
    pub unlabelled: Option<Arc<Dataset>>,
    pub parts: SplitIndices,
    /// The network for one image.
    pub graph: Graph,
}

/// Where a training begins.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// The first state, drawn from the seed, and a note on the weights that were loaded from a file.
    New(State, Option<String>),
    /// The state of a checkpoint, and notes on the resumption.
    Checkpoint(Box<Checkpoint>, Vec<String>),
}

impl Setup {
    /// Checks settings, data and division against each other.
    pub fn new(config: TrainConfig, dataset: Arc<Dataset>, split: &Split) -> Result<Self, TrainError> {
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
        check_labels(&dataset, &parts.train)?;
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
        let open = |unlabelled: &UnlabelledConfig| dataset.unlabelled(&unlabelled.dir, input.channels.into());
        let unlabelled = config.unlabelled.as_ref().map(open).transpose()?.map(Arc::new);
        Ok(Self { config, dataset, unlabelled, parts, graph })
    }

    /// The first state of a new training.
    pub fn begin(&self) -> Result<Beginning, TrainError> {
        let mut state = State::init(&self.graph, self.config.seed);
        let classes = self.dataset.classes();
        let fill = |init| Initial::find(init)?.fill(&self.config.network, classes, &mut state);
        let note = self.config.init.as_deref().map(fill).transpose()?;
        Ok(Beginning::New(state, note))
    }
}

/// Refuses training images of one class, or with ignored pixels only: there is nothing to tell apart.
fn check_labels(dataset: &Dataset, train: &[usize]) -> Result<(), TrainError> {
    let pixels = dataset.class_statistics(train).pixels;
    let mut present = dataset.classes().names.iter().zip(&pixels).filter(|(_, n)| **n > 0);
    match (present.next(), present.next()) {
        (None, _) => Err(TrainError::Config(format!(
            "all pixels of the {} training masks are ignored, so that there is nothing to learn; check the masks and the \
             ignore label",
            train.len()
        ))),
        (Some((name, _)), None) => Err(TrainError::Config(format!(
            "all pixels of the {} training masks are of one class, {name}, so that there is nothing to learn; check the \
             masks, or divide the images otherwise",
            train.len()
        ))),
        _ => Ok(()),
    }
}
