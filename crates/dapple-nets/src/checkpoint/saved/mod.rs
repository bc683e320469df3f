//! Models that segmentation_models_pytorch saved: `model.save_pretrained(DIR)` writes the weights and a `config.json` with
//! the arguments of the model's constructor.
//!
//! The arguments determine the network. All unsupported ones are listed in one error.

mod classes;
mod encoders;
mod parse;
mod reader;
mod write;

use crate::checkpoint::error::{CheckpointError, ContentError};
use crate::config::NetConfig;
use dapple_base::open_regular;
use parse::{LARGEST, parse};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

pub(super) use write::config_of as smp_config_of;

/// File names of the weights in current and older versions.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
const CONFIG: &str = "config.json";

/// The file of weights in a folder that segmentation_models_pytorch or transformers wrote, or the path itself if it is a file.
/// Where the weights lie in several files, it is their index.
///
/// # Errors
/// For a folder without weights.
pub fn weights_file(path: &Path) -> Result<PathBuf, CheckpointError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    WEIGHTS.iter().map(|name| path.join(name)).find(|file| file.is_file()).ok_or_else(|| {
        let why = "a folder without the model of a run (`best.safetensors`) and without `model.safetensors`; give the folder \
                   of a run, one that `model.save_pretrained` of segmentation_models_pytorch or transformers wrote, or a \
                   file of weights";
        ContentError::Unreadable(why.to_owned()).of(path)
    })
}

/// The network of a model that segmentation_models_pytorch saved, from the `config.json` in the folder or beside its
/// weights: name, channels, classes, and output stride and dropout if they are not the published ones. A model with one
/// output channel becomes a network of two classes with [`Sigmoid`](crate::Activation::Sigmoid).
///
/// `None` for other files, and for a `config.json` of another library.
///
/// # Errors
/// For a folder without weights, a `config.json` that cannot be read, and for unsupported settings, all of which the error
/// lists.
pub fn saved_network(path: &Path) -> Result<Option<NetConfig>, CheckpointError> {
    let weights = weights_file(path)?;
    if !weights.file_name().is_some_and(|name| WEIGHTS.iter().any(|known| name == *known)) {
        return Ok(None);
    }
    let path = weights.with_file_name(CONFIG);
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CheckpointError::io(&path)(error)),
        Ok(metadata) if !metadata.is_file() => {
            return Err(ContentError::Unreadable("not a file".to_owned()).of(&path));
        }
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = open_regular(&path).map_err(CheckpointError::io(&path))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(CheckpointError::io(&path))?;
    parse(&bytes).map_err(|e| e.of(&path))
}

/// Compares a network with the one that [`saved_network`] finds.
///
/// # Errors
/// As [`saved_network`], and if the networks differ.
pub fn check_saved(path: &Path, config: &NetConfig) -> Result<(), CheckpointError> {
    match saved_network(path)? {
        Some(saved) if saved.name != config.name => {
            let error = ContentError::OtherNetwork { saved: saved.name, asked: config.name.clone() };
            Err(error.of(path))
        }
        _ => Ok(()),
    }
}
