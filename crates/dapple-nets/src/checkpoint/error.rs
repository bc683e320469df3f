//! What can be wrong with a file of weights.

use super::InitError;
use crate::ConfigError;
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
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's content is not what it should be.
    #[error("{}: {why}", path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// What is wrong and what to do.
        why: Box<ContentError>,
    },
}

/// Content that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Not a file of weights, or a damaged one.
    #[error("{0}")]
    Unreadable(String),
    /// A safetensors file that does not describe a dapple model.
    #[error(
        "weights without a description of the model; such files can initialise a network but not be used as a model"
    )]
    NotAModel,
    /// A file of several models, where one is wanted.
    #[error(
        "a file of several models; this needs one of them, best.safetensors of a member's folder for instance"
    )]
    Several,
    /// A model file of another version.
    #[error("a model file of version {0}; this program reads version {VERSION}", VERSION = super::model_file::VERSION)]
    Version(u32),
    /// The description contradicts itself.
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
        /// Parameter or entry.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A checksum differs.
    #[error("the {0} are damaged: the checksum differs; get the file again")]
    Damaged(&'static str),
    /// Settings of segmentation_models_pytorch that no network here has.
    #[error(
        "these settings make a network that is not here: {}; to start from what fits of the weights nevertheless, copy \
         them to a folder without config.json and name the network",
        listed(.0)
    )]
    Settings(Vec<String>),
    /// Weights that segmentation_models_pytorch saved, for another network.
    #[error(
        "the weights are those of `{saved}` by the config.json beside them, the network is `{asked}`: ask for `{saved}` \
         (or leave `--model` out), or copy the weights to a folder without config.json to start from what fits"
    )]
    OtherNetwork {
        /// Their network.
        saved: String,
        /// The network that was asked for.
        asked: String,
    },
    /// The weights do not fit the network that they should initialise.
    #[error(transparent)]
    Init(#[from] InitError),
}

/// The first of many problems.
fn listed(problems: &[String]) -> String {
    const SHOWN: usize = 16;
    let more = match problems.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{}{more}", problems[..problems.len().min(SHOWN)].join("; "))
}

impl ContentError {
    /// The error of this file.
    pub fn of(self, path: &Path) -> CheckpointError {
        CheckpointError::Content { path: path.to_owned(), why: Box::new(self) }
    }
}

impl CheckpointError {
    /// For `map_err` on operations with this file.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> CheckpointError + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
