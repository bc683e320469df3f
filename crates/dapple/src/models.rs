//! Models by path or name: files, built-in models, and networks published by others.
//!
//! A model may be given as the folder of a run, a model file, the name of a built-in model
//! ([`dapple_weights::SHIPPED`]), or the name of published weights of a whole network
//! ([`dapple_weights::CATALOGUE`]), which are downloaded on first use. Files and folders take precedence over names. A name
//! that begins with `hf://` is that of a model of the Hugging Face hub ([`crate::hub`]).

use std::path::{Path, PathBuf};

use crate::foreign::{ForeignModel, ForeignSettings, foreign_model};
use crate::hub::{HubUse, hub_folder};
use crate::onnx_model::{OnnxSettings, is_onnx, onnx_model};
pub use crate::unfound::FindModelError;
use dapple_base::IMAGENET_STD;
use dapple_data::Classes;
use dapple_graph::{Network, Shape, State};
use dapple_model::ModelError;
use dapple_model::{load_models, model_path};
use dapple_nets::checkpoint::{
    Class, Ensemble, HubConfig, ModelCard, ModelFile, Normalization, init_from_file, saved_network,
};
use dapple_nets::{Activation, NetConfig};
use dapple_onnx::ImportError;
use dapple_weights::{CatalogueEntry, HubName, Purpose, Shipped, Store, StoreSettings};

/// The origin of a model.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file, or the folder of a run.
    File(PathBuf),
    /// A built-in model.
    Shipped(&'static Shipped),
    /// Published weights.
    Published(&'static CatalogueEntry),
    /// A model of the Hugging Face hub.
    Hub(HubName),
}

/// Something to fetch: published weights, which are a file, or a model of the hub, which is a folder.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// Weights of the catalogue.
    Entry(&'static CatalogueEntry),
    /// A model of the hub.
    Hub(&'a HubName),
}

/// The origin of the model with a path or name.
///
/// # Errors
/// [`FindModelError::Unknown`], [`FindModelError::Encoder`] for weights of an encoder, and [`FindModelError::Weights`] for a name
/// that no repository of the hub has.
pub fn origin(name: &Path) -> Result<Origin, FindModelError> {
    if let Some(repository) = name.to_str().and_then(HubName::parse) {
        return Ok(Origin::Hub(repository?));
    }
    if model_path(name).is_file() {
        return Ok(Origin::File(name.to_owned()));
    }
    let text = name.to_str().unwrap_or_default();
    if let Some(shipped) = dapple_weights::find_shipped(text) {
        return Ok(Origin::Shipped(shipped));
    }
    match dapple_weights::find(text) {
        Some(entry) if entry.purpose == Purpose::ImageNet => Err(FindModelError::Encoder(entry.name)),
        Some(entry) => Ok(Origin::Published(entry)),
        // A folder without a model, or an unreadable file: reading it reports the reason.
        None if name.exists() => Ok(Origin::File(name.to_owned())),
        None => Err(FindModelError::Unknown { name: name.display().to_string() }),
    }
}

/// Models that were found.
#[derive(Clone, Debug)]
pub struct Found {
    /// One, or several that predict together.
    pub models: Vec<ModelFile>,
    /// The assumptions about weights of other programs, to be shown to the user; empty for models of dapple.
    pub notes: Vec<String>,
}

impl From<Vec<ModelFile>> for Found {
    fn from(models: Vec<ModelFile>) -> Self {
        Self { models, notes: Vec::new() }
    }
}

/// The models with a path or name; several if the file has several that predict together. `foreign` tells what weights of
/// another program do not: the network of a state dict, the preparation of pixels for an ONNX file. `fetch` downloads published
/// weights, or a model of the hub, and returns their path.
///
/// # Errors
/// [`FindModelError`], and the errors of `fetch`.
pub fn load_with<E: From<FindModelError>>(
    name: &Path,
    foreign: &ForeignSettings<'_>,
    fetch: &dyn Fn(Wanted<'_>) -> Result<PathBuf, E>,
) -> Result<Found, E> {
    let (origin, network) = (origin(name)?, foreign.network);
    let is_foreign_kind = matches!(origin, Origin::File(_) | Origin::Hub(_));
    if network.is_some() && !is_foreign_kind {
        return Err(FindModelError::OwnNetwork(name.display().to_string()).into());
    }
    if foreign.describes_input() && !is_foreign_kind {
        return Err(FindModelError::OwnInput(name.display().to_string()).into());
    }
    match origin {
        Origin::File(path) => {
            if is_onnx(&path) || is_foreign(&path, network)? {
                let ForeignModel { model, notes } = foreign_model(&path, foreign)?;
                return Ok(Found { models: vec![model], notes });
            }
            if foreign.describes_input() {
                return Err(FindModelError::OwnInput(name.display().to_string()).into());
            }
            if path.is_dir() && !model_path(&path).exists() {
                return Err(FindModelError::NoModel(path).into());
            }
            Ok(load_models(&path).map_err(FindModelError::from)?.into())
        }
        Origin::Shipped(shipped) => Ok(Ensemble::from_bytes(shipped.bytes)
            .map_err(|error| FindModelError::Checkpoint(error.of(Path::new(shipped.name))))?
            .members
            .into()),
        Origin::Published(entry) => {
            let path = fetch(Wanted::Entry(entry))?;
            if entry.purpose == Purpose::CutOut {
                let (model, notes) = cut_out(entry, &path)?;
                return Ok(Found { models: vec![model], notes });
            }
            Ok(vec![published(entry, &path)?].into())
        }
        Origin::Hub(repository) => {
            let folder = fetch(Wanted::Hub(&repository))?;
            let ForeignModel { mut model, notes } = foreign_model(&folder, foreign)?;
            model.card.extra.insert("source".to_owned(), source(&repository, &folder).into());
            Ok(Found { models: vec![model], notes })
        }
    }
}

/// The repository with the commit that the folder is called by.
fn source(repository: &HubName, folder: &Path) -> String {
    let commit = folder.file_name().map(|commit| commit.to_string_lossy().into_owned()).unwrap_or_default();
    format!("hf://{}@{commit}", repository.repository())
}

/// Whether a file or folder holds weights of another program: where the caller names their network, or where
/// segmentation_models_pytorch or transformers has left its description beside them. A run's own model comes first.
fn is_foreign(path: &Path, network: Option<&str>) -> Result<bool, FindModelError> {
    if network.is_some() {
        return Ok(true);
    }
    if path.is_dir() && (model_path(path).is_file() || !path.join("config.json").is_file()) {
        return Ok(false);
    }
    Ok(saved_network(path)?.is_some() || HubConfig::of_folder(path)?.is_some())
}

/// The path of something in a store.
pub(crate) fn fetched(store: &Store, wanted: Wanted<'_>) -> Result<PathBuf, FindModelError> {
    match wanted {
        Wanted::Entry(entry) => Ok(store.get(entry, &mut |_| ())?),
        Wanted::Hub(name) => hub_folder(store, name, HubUse::Model, &mut ()),
    }
}

/// As [`load_with`], downloading published weights into the user's cache folder ([`StoreSettings::in_user_cache`]).
///
/// # Errors
/// [`FindModelError`].
pub fn load(name: &Path) -> Result<Found, FindModelError> {
    load_with(name, &ForeignSettings::default(), &|wanted| {
        fetched(&Store::new(StoreSettings::in_user_cache()?), wanted)
    })
}

/// As [`load_with`], downloading published weights into this store.
///
/// # Errors
/// [`FindModelError`].
pub fn load_from(name: &Path, store: &Store) -> Result<Found, FindModelError> {
    load_with(name, &ForeignSettings::default(), &|wanted| fetched(store, wanted))
}

/// What the publisher of a whole network documents.
struct Published {
    network: NetConfig,
    classes: Classes,
    side: usize,
    normalisation: Normalization,
}

/// The network, classes and input of published weights.
fn described(entry: &'static CatalogueEntry) -> Result<Published, FindModelError> {
    let (network, classes, activation, side) = match entry.purpose {
        // torchvision's `SemanticSegmentation` preset resizes the short side to 520; a fixed input can only be a square.
        Purpose::CocoVoc => {
            let name = entry.name.replace("mobilenet_v3", "mobilenetv3").replace('_', "-");
            (name, Classes::voc(), Activation::Softmax, 520)
        }
        Purpose::Saliency => {
            let name = if entry.name == "u2netp" { "u2net-lite" } else { entry.name };
            (name.to_owned(), Classes::binary("object"), Activation::Sigmoid, 320)
        }
        Purpose::ImageNet => return Err(FindModelError::Encoder(entry.name)),
        // The file holds its network, which is none of the registry.
        Purpose::CutOut => return Err(FindModelError::OwnNetwork(entry.name.to_owned())),
    };
    let config = NetConfig::new(&network, 3, classes.len())
        .map_err(|source| FindModelError::Network { name: entry.name, source })?;
    let normalisation = entry.normalization;
    Ok(Published { network: NetConfig { activation, ..config }, classes, side, normalisation })
}

/// The network of published weights and its normalization; `None` for weights of an encoder, and for a network that is not
/// in the registry.
pub fn published_network(entry: &'static CatalogueEntry) -> Option<(NetConfig, Normalization)> {
    described(entry).ok().map(|published| (published.network, published.normalisation))
}

/// The classes of published weights; `None` for weights of an encoder, and for a network that is not in the registry.
pub fn published_classes(entry: &'static CatalogueEntry) -> Option<Classes> {
    if entry.purpose == Purpose::CutOut {
        let names = documented(entry).classes;
        return Some(match names.len() {
            2 => Classes::binary(names[1]),
            count => {
                let names = names.iter().map(|&name| name.to_owned()).collect();
                Classes { names, ..Classes::numbered(count) }
            }
        });
    }
    described(entry).ok().map(|published| published.classes)
}

/// What the publishers of an ONNX file document beside the normalization.
struct Documented {
    /// Side of the images.
    side: usize,
    classes: &'static [&'static str],
    /// By which each channel is multiplied once it is normalized; by nothing if empty.
    factors: &'static [f32],
}

/// That of rembg's files (`rembg/sessions`), all of which divide pixels by the image's largest value and subtract ImageNet's
/// means; IS-Net's are then not divided by the deviations.
fn documented(entry: &'static CatalogueEntry) -> Documented {
    match entry.name {
        "u2net_human_seg" => Documented { side: 320, classes: &["background", "person"], factors: &[] },
        "u2net_cloth_seg" => Documented {
            side: 768,
            classes: &["background", "upper body", "lower body", "full body"],
            factors: &[],
        },
        _ => Documented { side: 1024, classes: &["background", "object"], factors: &IMAGENET_STD },
    }
}

/// An ONNX file of the catalogue as a model, with the input and the classes that its publisher documents.
fn cut_out(entry: &'static CatalogueEntry, path: &Path) -> Result<(ModelFile, Vec<String>), FindModelError> {
    let Documented { side, classes, factors } = documented(entry);
    let classes: Vec<String> = classes.iter().map(|&name| name.to_owned()).collect();
    let normalization = Some(entry.normalization);
    let settings = OnnxSettings { classes: &classes, normalization, factors, ..OnnxSettings::default() };
    let side = (side, side);
    // A file of one size names it itself.
    let (mut model, notes) = match onnx_model(path, &OnnxSettings { size: Some(side), ..settings }) {
        Err(FindModelError::Onnx { source: ImportError::Size { .. }, .. }) => onnx_model(path, &settings)?,
        other => other?,
    };
    model.card.extra.insert("source".to_owned(), entry.url.into());
    Ok((model, notes))
}

/// A published file as a model, with the classes and the input that its publisher documents.
fn published(entry: &'static CatalogueEntry, path: &Path) -> Result<ModelFile, FindModelError> {
    let Published { network: config, classes, side, normalisation } = described(entry)?;
    let graph = config.build(Shape::new(1, side, side, 3)).map_err(ModelError::from)?;
    let mut state = State::init(&graph, 0);
    init_from_file(&mut state, &config, path)?;
    let named = classes.names.into_iter().zip(classes.colours);
    let card = ModelCard {
        network: config,
        classes: named.map(|(name, colour)| Class { name, colour }).collect(),
        ignore: None,
        input_size: [side, side],
        normalisation,
        images: None,
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::from_iter([("source".to_owned(), entry.url.into())]),
    };
    Ok(ModelFile { card, state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::{Conv2d, Graph, GraphError};
    use dapple_weights::{CATALOGUE, SHIPPED};

    #[test]
    fn every_published_network_is_one_of_ours() {
        let whole = |entry: &&CatalogueEntry| !matches!(entry.purpose, Purpose::ImageNet | Purpose::CutOut);
        let networks = CATALOGUE.iter().filter(whole);
        for entry in networks {
            // The network is found before the file is opened, which is not there.
            let error = published(entry, Path::new("absent.pth")).expect_err("there is no file");
            assert!(matches!(error, FindModelError::Checkpoint(_)), "{}: {error}", entry.name);
        }
    }

    #[test]
    fn published_onnx_files_have_their_classes() {
        for entry in CATALOGUE.iter().filter(|entry| entry.purpose == Purpose::CutOut) {
            let classes = published_classes(entry).expect("they are documented");
            assert_eq!(classes.names[0], "background", "{}", entry.name);
            assert!(published_network(entry).is_none(), "{}", entry.name);
            let error = cut_out(entry, Path::new("absent.onnx")).expect_err("there is no file");
            assert!(matches!(error, FindModelError::Onnx { .. }), "{}: {error}", entry.name);
        }
    }

    #[test]
    fn is_net_takes_pixels_as_rembg_prepares_them() -> Result<(), Box<dyn std::error::Error>> {
        let network = (Shape::new(1, 8, 8, 3), |input| {
            let mut graph = Graph::new(input);
            let logits = graph.conv2d("conv", graph.input(), &Conv2d::new(1, 1))?;
            graph.output("logits", logits)?;
            Ok::<Graph, GraphError>(graph)
        });
        let state = State::init(&network.build(network.example_input())?, 0);
        let written = dapple_onnx::export(&network, &state, &dapple_onnx::Options::default())?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("isnet.onnx");
        std::fs::write(&path, written.bytes)?;
        let entry = dapple_weights::find("isnet-general-use").expect("it is in the catalogue");
        let (model, _) = cut_out(entry, &path)?;
        // (value / largest value - mean) / deviation, and then times the deviation.
        assert_eq!(model.card.normalisation, Normalization::U2Net);
        assert_eq!(model.state.values[..6], [0.229, 0.224, 0.225, 0.0, 0.0, 0.0]);
        assert_eq!(model.card.input_size, [1024, 1024]);
        Ok(())
    }

    #[test]
    fn shipped_models_are_whole() {
        for shipped in &SHIPPED {
            let models = load(Path::new(shipped.name)).expect("it is part of the program");
            assert!(!models.models.is_empty());
            assert!(shipped.card.starts_with("# "), "{}", shipped.name);
        }
    }

    #[test]
    fn unknown_names_say_what_there_is() {
        let message = load(Path::new("u2netq")).expect_err("no such model").to_string();
        assert!(message.contains("did you mean `u2net"), "{message}");
        let message = load(Path::new("resnet18")).expect_err("an encoder").to_string();
        assert!(message.contains("--init resnet18"), "{message}");
    }
}
