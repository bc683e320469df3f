//! Errors of files of weights.

use super::init::{InitError, ShapesError};
use super::version::{QUANTIZED, VERSION};
use crate::config::ConfigError;
use dapple_base::InputFault;
use dapple_graph::GraphError;
use std::path::{Path, PathBuf};

/// A file of weights that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] dapple_base::WriteError),
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The content is not valid.
    #[error("{}: {why}", path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// The fault and its remedy.
        why: Box<ContentError>,
    },
}

/// Content that is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Not a file of weights, or a damaged one.
    #[error("{0}")]
    Unreadable(String),
    /// A safetensors file that does not describe a dapple model.
    #[error(
        "the weights have no description of their network: name it (--network NAME; `dapple models` lists the names), or \
         make a model of them once: dapple import FILE --network NAME --out model.safetensors"
    )]
    NotAModel,
    /// A file of several models where one is expected.
    #[error(
        "the file holds several models, but one is needed here, for instance best.safetensors in the folder of a member"
    )]
    Several,
    /// A quantized model where one is needed that can be trained.
    #[error("a quantized model cannot be trained; start from the model that it was made of")]
    Quantized,
    /// A model file of another version.
    #[error("the model file has version {0}, but this program reads versions {VERSION} and {QUANTIZED}")]
    Version(u32),
    /// The description is not consistent.
    #[error("the model's description: {0}")]
    Description(String),
    /// The described network does not exist.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The described network cannot be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The weights are not those of the described network.
    #[error("parameter `{name}`: {why}")]
    Parameter {
        /// Parameter.
        name: String,
        /// Reason.
        why: String,
    },
    /// A checksum differs.
    #[error("the {0} are damaged: the checksum differs; copy or download the file again")]
    Damaged(&'static str),
    /// Settings of segmentation_models_pytorch that no network of dapple has.
    #[error(
        "these settings describe a network that dapple does not have: {}; to use the weights that fit nevertheless, copy \
         them to a folder without config.json and name the network",
        listed(.0)
    )]
    Settings(Vec<String>),
    /// Weights that segmentation_models_pytorch saved, for another network.
    #[error(
        "the weights are those of `{saved}` according to the config.json beside them, but the network is `{asked}`: choose \
         `{saved}` (or leave `--model` out), or copy the weights to a folder without config.json to use those that fit"
    )]
    OtherNetwork {
        /// The network of the weights.
        saved: String,
        /// The network to initialize.
        asked: String,
    },
    /// The settings of the network do not follow from the weights.
    #[error(transparent)]
    Shapes(#[from] ShapesError),
    /// The weights do not fit the network that they should initialize.
    #[error(transparent)]
    Init(#[from] InitError),
}

/// The first problems of a list.
fn listed(problems: &[String]) -> String {
    const SHOWN: usize = 16;
    let more = match problems.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{}{more}", problems[..problems.len().min(SHOWN)].join("; "))
}

impl ContentError {
    /// The error of a file with this content.
    pub fn of(self, path: &Path) -> CheckpointError {
        CheckpointError::Content { path: path.to_owned(), why: Box::new(self) }
    }
}

impl InputFault for CheckpointError {
    /// Model files and weights are the user's input.
    /// Everything but a failed write.
    fn is_input_fault(&self) -> bool {
        !matches!(self, Self::Write(_))
    }
}

impl CheckpointError {
    /// For `map_err` on operations with this file.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> CheckpointError + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
