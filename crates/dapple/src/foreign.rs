//! Models of weights that other programs saved.

use std::path::Path;

use dapple_data::Classes;
use dapple_graph::{Network, Shape};
use dapple_model::{ModelError, load_models};
use dapple_nets::checkpoint::{
    CheckpointError, Class, ContentError, ForeignNetwork, HubConfig, ModelCard, ModelFile, Normalization,
    read_foreign,
};

use crate::hub_model::{HubInput, hub_model, prepared};
use crate::onnx_model::{OnnxSettings, PixelSettings, is_onnx, onnx_model};
use crate::preprocessor::{PREPROCESSOR, Steps, label_names};
use crate::unfound::FindModelError;

pub use crate::hub_model::SIDE;

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
    /// How pixels become what an ONNX file takes.
    pub pixels: PixelSettings<'a>,
}

impl ForeignSettings<'_> {
    /// Whether something about input and classes is given, which models of dapple know themselves.
    pub fn describes_input(&self) -> bool {
        self.size.is_some()
            || self.normalization.is_some()
            || !self.classes.is_empty()
            || self.pixels.is_given()
    }
}

/// A model made of foreign weights.
#[derive(Clone, Debug)]
pub struct ForeignModel {
    /// The model.
    pub model: ModelFile,
    /// How the weights were read, and the assumptions about what they do not say.
    pub notes: Vec<String>,
}

/// A model of weights that another program saved: of PyTorch's or safetensors' files, of a folder of
/// segmentation_models_pytorch or transformers, or of an ONNX file, which holds its network.
///
/// # Errors
/// [`FindModelError::Checkpoint`] for weights that are not those of the whole network, [`FindModelError::ClassNames`], and
/// [`FindModelError::ClassName`] for names that cannot be told apart, [`FindModelError::OwnNetwork`] if a network is named for a
/// model of dapple, whose description would be lost, [`FindModelError::File`] for a size that the network does not take, and those
/// of [`onnx_model`].
pub fn foreign_model(path: &Path, settings: &ForeignSettings<'_>) -> Result<ForeignModel, FindModelError> {
    if is_onnx(path) {
        let ForeignSettings { size, normalization, classes, pixels, network } = *settings;
        if network.is_some() {
            return Err(FindModelError::OwnNetwork(path.display().to_string()));
        }
        let (model, notes) =
            onnx_model(path, &OnnxSettings { pixels, size, normalization, classes, factors: &[] })?;
        return Ok(ForeignModel { model, notes });
    }
    if settings.pixels.is_given() {
        return Err(FindModelError::Pixels(format!(
            "{}: --mean, --std, --range, --layout and --bgr are for ONNX files",
            path.display()
        )));
    }
    if settings.network.is_some() {
        refuse_own(path)?;
    }
    if let Some(name) = bad_name(settings.classes) {
        return Err(FindModelError::ClassName(name.to_owned()));
    }
    if settings.network.is_none()
        && let Some(config) = HubConfig::of_folder(path)?
    {
        let ForeignSettings { size, normalization, classes, .. } = *settings;
        let (model, notes) = hub_model(path, &config, &HubInput { size, normalization, classes })?;
        return Ok(ForeignModel { model, notes });
    }
    let ForeignNetwork { config, state, report } = read_foreign(path, settings.network)?;
    let mut notes = vec![format!("{}: {report}", path.display())];
    // Beside the folders that `dapple export --hub` writes for segmentation_models_pytorch, for one.
    let steps = if path.is_dir() { Steps::of_folder(path)? } else { None };
    let told = match &steps {
        Some(steps) => {
            notes.extend(steps.notes.iter().cloned());
            Some(normalization_of(steps, path, settings.normalization, config.in_channels)?)
        }
        None => None,
    };
    let names = match settings.classes {
        [] if steps.is_some() => label_names(&path.join(PREPROCESSOR))?,
        names => names.to_vec(),
    };
    let classes = match (&names[..], config.classes) {
        ([], 2) => Classes::binary("foreground"),
        ([], count) => Classes::numbered(count),
        (names, count) if names.len() == count => {
            Classes { names: names.to_vec(), ..Classes::numbered(count) }
        }
        (names, classes) => {
            return Err(FindModelError::ClassNames { path: path.to_owned(), classes, names: names.len() });
        }
    };
    if names.is_empty() {
        notes.push(format!("the classes are called {} (--classes names them)", classes.names.join(", ")));
    }
    if config.classes > 1 {
        notes.push(
            "each pixel has one class, the most probable (softmax over the network's outputs)".to_owned(),
        );
    }
    let size = settings.size.or(steps.and_then(|steps| steps.size).map(|[height, width]| (height, width)));
    let (height, width) = size.unwrap_or((SIDE, SIDE));
    config.build(Shape::new(1, height, width, config.in_channels)).map_err(ModelError::from)?;
    if size.is_none() {
        notes.push(format!("images are resized to {height} x {width} (--size gives that of the training)"));
    }
    let of_encoder = config.entry().ok().and_then(|entry| entry.encoder).map(|encoder| encoder.normalization);
    let normalisation = settings.normalization.or(told).or(of_encoder).unwrap_or_default();
    if settings.normalization.or(told).is_none() {
        let how = match normalisation {
            Normalization::Lite => "from -1 to 1, as the published weights of the encoder take them",
            _ => "by mean and deviation of ImageNet",
        };
        notes.push(format!("pixels are normalized {how} (--normalise names others)"));
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

/// The normalization that the description beside weights tells. Networks of the registry have those with names only.
fn normalization_of(
    steps: &Steps,
    path: &Path,
    given: Option<Normalization>,
    channels: usize,
) -> Result<Normalization, FindModelError> {
    match (given, prepared(&steps.preparation, channels)) {
        (Some(given), _) => Ok(given),
        (None, (normalization, None)) => Ok(normalization),
        (None, (_, Some(_))) => Err(FindModelError::Pixels(format!(
            "{}: {} has a mean and a deviation that are none of the normalizations imagenet, unit and lite; choose one with \
             `dapple import --normalise`",
            path.display(),
            steps.source
        ))),
    }
}

/// Refuses a model of dapple, a damaged one too: read as foreign weights, it would lose its description and its checksum.
fn refuse_own(path: &Path) -> Result<(), FindModelError> {
    match load_models(path) {
        Ok(_) => Err(FindModelError::OwnNetwork(path.display().to_string())),
        Err(ModelError::Checkpoint(error)) if is_of_a_model(&error) => {
            Err(FindModelError::File(ModelError::Checkpoint(error)))
        }
        Err(_) => Ok(()),
    }
}

/// Whether a file was refused for its content although it describes a model.
fn is_of_a_model(error: &CheckpointError) -> bool {
    let CheckpointError::Content { why, .. } = error else { return false };
    !matches!(**why, ContentError::Unreadable(_) | ContentError::NotAModel)
}

/// An empty name, or one that occurs twice.
fn bad_name(names: &[String]) -> Option<&str> {
    let twice = |(index, name): &(usize, &String)| name.trim().is_empty() || names[..*index].contains(name);
    names.iter().enumerate().find(twice).map(|(_, name)| name.as_str())
}
