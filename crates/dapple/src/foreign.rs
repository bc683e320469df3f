//! Models of weights that other programs saved.

use std::path::Path;

use dapple_data::Classes;
use dapple_model::load_models;
use dapple_nets::checkpoint::{Class, ForeignNetwork, ModelCard, ModelFile, Normalization, read_foreign};

use crate::unfound::FindModelError;

/// Height and width of the input unless they are given: divisible by the strides of all networks.
pub const SIDE: usize = 512;

/// The knowledge about foreign weights that they do not hold themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForeignSettings<'a> {
    /// The network's name in the registry; a folder that segmentation_models_pytorch saved names its own.
    pub network: Option<&'a str>,
    /// Height and width to which images are resized; [`SIDE`] by default.
    pub size: Option<(usize, usize)>,
    /// Normalization of pixel values; that of ImageNet by default.
    pub normalization: Option<Normalization>,
    /// Names of the classes; numbers, or background and foreground of two, by default.
    pub classes: &'a [String],
}

/// A model made of foreign weights.
#[derive(Clone, Debug)]
pub struct ForeignModel {
    /// The model.
    pub model: ModelFile,
    /// How the weights were read, and the assumptions about what they do not say.
    pub notes: Vec<String>,
}

/// A model of weights that another program saved: of PyTorch's or safetensors' files, or of a folder of
/// segmentation_models_pytorch.
///
/// # Errors
/// [`FindModelError::Checkpoint`] for weights that are not those of the whole network, [`FindModelError::ClassNames`], and
/// [`FindModelError::OwnNetwork`] if a network is named for a model of dapple, whose description would be lost.
pub fn foreign_model(path: &Path, settings: &ForeignSettings<'_>) -> Result<ForeignModel, FindModelError> {
    if settings.network.is_some() && load_models(path).is_ok() {
        return Err(FindModelError::OwnNetwork(path.display().to_string()));
    }
    let ForeignNetwork { config, state, report } = read_foreign(path, settings.network)?;
    let mut notes = vec![format!("{}: {report}", path.display())];
    let classes = match (settings.classes, config.classes) {
        ([], 2) => Classes::binary("foreground"),
        ([], count) => Classes::numbered(count),
        (names, count) if names.len() == count => {
            Classes { names: names.to_vec(), ..Classes::numbered(count) }
        }
        (names, classes) => {
            return Err(FindModelError::ClassNames { path: path.to_owned(), classes, names: names.len() });
        }
    };
    if settings.classes.is_empty() {
        notes.push(format!("the classes are called {} (--classes names them)", classes.names.join(", ")));
    }
    let (height, width) = settings.size.unwrap_or((SIDE, SIDE));
    if settings.size.is_none() {
        notes.push(format!("images are resized to {height} x {width} (--size gives that of the training)"));
    }
    let normalisation = settings.normalization.unwrap_or_default();
    if settings.normalization.is_none() {
        notes.push(
            "pixels are normalized by mean and deviation of ImageNet (--normalise names others)".to_owned(),
        );
    }
    let named = classes.names.into_iter().zip(classes.colours);
    let card = ModelCard {
        network: config,
        classes: named.map(|(name, colour)| Class { name, colour }).collect(),
        ignore: None,
        input_size: [height, width],
        normalisation,
        images: None,
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::from_iter([("source".to_owned(), path.display().to_string().into())]),
    };
    Ok(ForeignModel { model: ModelFile { card, state }, notes })
}
