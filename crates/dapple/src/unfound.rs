//! The reasons why there is no model of a path or name.

use std::path::PathBuf;

use dapple_base::{InputFault, nearest};
use dapple_model::ModelError;
use dapple_nets::ConfigError;
use dapple_nets::checkpoint::CheckpointError;
use dapple_weights::{CATALOGUE, Purpose, SHIPPED, WeightsError};

/// The reason why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FindModelError {
    /// Neither a file nor a known name.
    #[error(
        "{name}: no such file or folder, and no model of that name{}; built-in models: {}; for others see \
         `dapple weights list`",
        nearest(name, names()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(),
        SHIPPED.iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// The path or name.
        name: String,
    },
    /// A folder without a model.
    #[error(
        "{}: this folder holds no model, neither a run's best.safetensors nor weights that segmentation_models_pytorch saved; \
         give a run's folder, a model file or a name",
        .0.display()
    )]
    NoModel(PathBuf),
    /// Weights of an encoder only.
    #[error("`{0}` are the weights of an encoder, not of a whole network: train with `--init {0}`")]
    Encoder(&'static str),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] ModelError),
    /// The weights cannot be downloaded.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The published file is not as described.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Names for another number of classes than the weights have.
    #[error("{}: the weights have {classes} classes, but {names} names were given", path.display())]
    ClassNames {
        /// The weights.
        path: PathBuf,
        /// Their classes.
        classes: usize,
        /// The names given.
        names: usize,
    },
    /// A class without a name, or with that of another.
    #[error("the class name `{0}` is empty or given twice; give each class one of its own")]
    ClassName(String),
    /// A network was named for a model that has one.
    #[error("{0}: a model that knows its network, classes and input; use it as it is, without --network")]
    OwnNetwork(String),
    /// The network of the weights is not in the registry.
    #[error(
        "`{name}`: {source}; its weights can initialize networks with the same encoder, with `--init {name}`"
    )]
    Network {
        /// Name of the weights.
        name: &'static str,
        /// The missing network.
        source: ConfigError,
    },
}

impl InputFault for FindModelError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::File(error) => error.is_input_fault(),
            Self::Weights(error) => error.is_input_fault(),
            Self::Unknown { .. } | Self::NoModel(_) | Self::Encoder(_) | Self::Checkpoint(_) => true,
            Self::ClassNames { .. } | Self::ClassName(_) | Self::OwnNetwork(_) | Self::Network { .. } => true,
        }
    }
}

/// The names of whole networks.
fn names() -> impl Iterator<Item = &'static str> {
    let published = CATALOGUE.iter().filter(|entry| entry.purpose != Purpose::ImageNet);
    SHIPPED.iter().map(|shipped| shipped.name).chain(published.map(|entry| entry.name))
}
