//! The reasons why there is no model of a path or name.

use std::path::PathBuf;

use dapple_base::{InputFault, nearest};
use dapple_model::ModelError;
use dapple_nets::ConfigError;
use dapple_nets::checkpoint::CheckpointError;
use dapple_onnx::ImportError;
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
        "{}: this folder holds no model, neither a run's best.safetensors nor weights that segmentation_models_pytorch or \
         transformers saved (config.json with model.safetensors); give a run's folder, a model file or a name",
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
    /// An ONNX file that cannot be read.
    #[error("{}: {source}", path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: ImportError,
    },
    /// Nothing tells how images are prepared for an ONNX file.
    #[error(
        "{}: neither its metadata nor a preprocessor_config.json beside it say which values of pixels it takes; give them as \
         its authors do: --range 0..1 or --range 0..255 for the values of black and white, and --mean and --std in these units \
         where they normalize (ImageNet's: --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)",
        .0.display()
    )]
    Preprocessing(PathBuf),
    /// A preparation of pixels that makes no sense.
    #[error("{0}")]
    Pixels(String),
    /// The input of a model that knows its own was described.
    #[error(
        "{0}: a model that knows its input and its classes; use it as it is, without --mean, --std, --range, --layout, --bgr, \
             --input-size and --classes-file"
    )]
    OwnInput(String),
    /// A network was named for a model that has one.
    #[error("{0}: a model that knows its network, classes and input; use it as it is, without --network")]
    OwnNetwork(String),
    /// A model of the hub that is none for a segmentation.
    #[error("{name}: no segmentation model that can be read: {why}")]
    HubKind {
        /// Name of the repository.
        name: String,
        /// Reason.
        why: String,
    },
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
            Self::Onnx { .. } | Self::Preprocessing(_) | Self::Pixels(_) | Self::OwnInput(_) => true,
            Self::HubKind { .. } => true,
        }
    }
}

/// The names of whole networks.
fn names() -> impl Iterator<Item = &'static str> {
    let published = CATALOGUE.iter().filter(|entry| entry.purpose != Purpose::ImageNet);
    SHIPPED.iter().map(|shipped| shipped.name).chain(published.map(|entry| entry.name))
}
