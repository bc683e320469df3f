//! Published weights that initialize networks.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dapple_base::InputFault;
use dapple_graph::{Network, Shape, State};
use dapple_nets::checkpoint::{CheckpointError, init_from, read_state_dict};
use dapple_nets::{ENCODERS, Encoder, NetConfig};
use dapple_train::auto::{Origin, Pretrained};
use dapple_weights::{CATALOGUE, CacheState, CatalogueEntry, Purpose, Store, find};

/// Size in units of 1 000 000 bytes up to which weights are fetched without having been asked for by name.
const SMALL: u32 = 60;
/// The family whose weights are fetched: the smallest files, and fast on processors.
const FETCHED: &str = "efficientnet-lite";

/// The published ImageNet weights of the network's encoder, if there are any.
///
/// ```
/// use dapple::nets::NetConfig;
/// use dapple::pretrained::imagenet_entry;
/// assert_eq!(imagenet_entry(&NetConfig::new("segnet", 3, 12)?).map(|entry| entry.name), Some("vgg16_bn"));
/// assert_eq!(imagenet_entry(&NetConfig::new("u2net", 3, 2)?), None);
/// # Ok::<(), dapple::nets::ConfigError>(())
/// ```
pub fn imagenet_entry(config: &NetConfig) -> Option<&'static CatalogueEntry> {
    let network = config.entry().ok()?;
    match (network.encoder, network.family) {
        (Some(encoder), _) => entry_of(encoder),
        (None, "segnet" | "bayesian-segnet" | "deconvnet") => find("vgg16_bn"),
        (None, "fcn32s" | "fcn16s" | "fcn8s") => find("vgg16"),
        _ => None,
    }
}

/// The published ImageNet weights of an encoder. The catalogue has torchvision's names.
fn entry_of(encoder: &Encoder) -> Option<&'static CatalogueEntry> {
    match encoder.name {
        "regnety-004" => find("regnet_y_400mf"),
        "regnety-008" => find("regnet_y_800mf"),
        "regnety-016" => find("regnet_y_1_6gf"),
        "regnety-032" => find("regnet_y_3_2gf"),
        name => find(&name.replace("mobilenetv", "mobilenet_v").replace('-', "_")),
    }
}

/// The encoder that weights of the catalogue are for.
fn encoder_of(entry: &CatalogueEntry) -> Option<&'static Encoder> {
    let first = entry.name.trim_end_matches("-v2");
    ENCODERS.iter().find(|encoder| entry_of(encoder).is_some_and(|entry| entry.name == first))
}

/// The weights that a training may start from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartWeights {
    /// Those on this machine, or small ones that are fetched.
    #[default]
    Auto,
    /// Those on this machine.
    Offline,
    /// None.
    Random,
    /// A file of an encoder's weights, or a name of the catalogue; a file of that name comes first.
    Of(String),
}

impl FromStr for StartWeights {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "offline" => Self::Offline,
            "none" => Self::Random,
            name => Self::Of(name.to_owned()),
        })
    }
}

/// Weights of which no encoder is known.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Neither a file nor a name of the catalogue.
    #[error("there is no file and there are no weights `{0}`; `dapple weights list` has the names")]
    Unknown(String),
    /// Weights of something else.
    #[error("the weights `{0}` are not those of an encoder; `dapple weights list` names those of ImageNet")]
    NoEncoder(String),
    /// A file that fits none of the encoders.
    #[error(
        "{}: no encoder's weights are in it; if they are those of a whole network, give them with --init and --model",
        .0.display()
    )]
    FitsNone(PathBuf),
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] CheckpointError),
}

impl InputFault for StartError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Unknown(_) | Self::NoEncoder(_) | Self::FitsNone(_) => true,
            Self::File(error) => error.is_input_fault(),
        }
    }
}

/// The weights of encoders that a training may start from, as far as the user wants any; `wished` is the network, if the user
/// has named one.
///
/// # Errors
/// [`StartError`] for a name or a file that does not stand for an encoder's weights.
pub fn candidates(
    start: &StartWeights,
    wished: Option<&str>,
    store: &Store,
) -> Result<Vec<Pretrained>, StartError> {
    let fetches = match start {
        StartWeights::Random => return Ok(Vec::new()),
        StartWeights::Of(name) => return Ok(vec![asked(name)?]),
        StartWeights::Offline => false,
        StartWeights::Auto => !store.is_offline(),
    };
    let candidate = |encoder: &'static Encoder| {
        let entry = entry_of(encoder)?;
        let origin = if store.state(entry) == CacheState::Present { Origin::Here } else { Origin::Fetched };
        // A network that the user has named gets the weights of its encoder, if they are small.
        let small = entry.megabytes <= SMALL && (wished.is_some() || encoder.name.starts_with(FETCHED));
        (origin == Origin::Here || (fetches && small)).then(|| of_entry(entry, encoder, origin))
    };
    Ok(ENCODERS.iter().filter_map(candidate).collect())
}

/// The weights that would be fetched if downloads were allowed: the smallest of [`candidates`].
pub fn missed() -> Option<&'static CatalogueEntry> {
    let fetched = ENCODERS.iter().filter(|encoder| encoder.name.starts_with(FETCHED)).filter_map(entry_of);
    fetched.min_by_key(|entry| entry.megabytes)
}

fn of_entry(entry: &CatalogueEntry, encoder: &Encoder, origin: Origin) -> Pretrained {
    let (encoder, weights) = (encoder.name, entry.name.to_owned());
    Pretrained { encoder, weights, accuracy: entry.accuracy, origin }
}

/// Weights by a file's path or a name of the catalogue.
fn asked(name: &str) -> Result<Pretrained, StartError> {
    let path = Path::new(name);
    if path.is_file() {
        let encoder = recognized(path)?;
        let weights = name.to_owned();
        return Ok(Pretrained { encoder: encoder.name, weights, accuracy: None, origin: Origin::Asked });
    }
    let entry = find(name).ok_or_else(|| StartError::Unknown(name.to_owned()))?;
    let encoder = Some(entry).filter(|entry| entry.purpose == Purpose::ImageNet).and_then(encoder_of);
    let encoder = encoder.ok_or_else(|| StartError::NoEncoder(name.to_owned()))?;
    Ok(of_entry(entry, encoder, Origin::Asked))
}

/// The encoder whose weights are in a file: of those that it fills, the one that takes most of it.
fn recognized(path: &Path) -> Result<&'static Encoder, StartError> {
    let entries = read_state_dict(path, &|name| !name.contains("optimizer"))?;
    let taken = |encoder: &'static Encoder| {
        let config = NetConfig::new(&format!("unet-{}", encoder.name), 3, 2).ok()?;
        let graph = config.build(Shape::new(1, 64, 64, 3)).ok()?;
        let (values, statistics) = (vec![0.0; graph.trainable_len()], vec![0.0; graph.statistics_len()]);
        let mut state = State { specs: graph.params().to_vec(), values, statistics };
        let report = init_from(&mut state, &config, &entries).ok()?;
        let of_encoder = |name: &&String| name.starts_with("encoder.");
        let needed = state.specs.iter().zip(graph.used_params()).filter(|(_, used)| *used);
        let needed = needed.filter(|(spec, _)| of_encoder(&&spec.name)).count();
        let loaded = report.loaded.iter().filter(of_encoder).count();
        (loaded >= needed).then_some((loaded, encoder))
    };
    let best = ENCODERS.iter().filter_map(taken).max_by_key(|(loaded, _)| *loaded);
    best.map(|(_, encoder)| encoder).ok_or_else(|| StartError::FitsNone(path.to_owned()))
}

/// The file of weights of the catalogue by their name.
pub fn entry_named(weights: &Pretrained) -> Option<&'static CatalogueEntry> {
    CATALOGUE.iter().find(|entry| entry.name == weights.weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_nets::checkpoint::{Naming, named_as, write_state_dict};
    use dapple_nets::registry::networks;
    use dapple_weights::StoreSettings;

    #[test]
    fn encoders_of_torchvision_and_efficientnet_lite_have_their_weights_with_their_normalization() {
        // segmentation_models_pytorch's and timm's, whose files have no published checksum.
        const WITHOUT: [&str; 7] =
            ["mit", "se-", "efficientnet-smp", "tf-efficientnetv2", "mobilenetv4", "regnety", "hrnet"];
        let has_weights = |encoder: &&Encoder| !WITHOUT.iter().any(|family| encoder.name.starts_with(family));
        for encoder in ENCODERS.iter().filter(has_weights) {
            let network =
                networks().iter().find(|entry| entry.encoder.is_some_and(|e| e.name == encoder.name));
            let network = network.expect("every encoder is in some network");
            let config = NetConfig::new(&network.name, 3, 2).expect("of the registry");
            let entry = imagenet_entry(&config).unwrap_or_else(|| panic!("{} has no weights", encoder.name));
            let letters = |name: &str| name.replace(['-', '_'], "");
            assert_eq!(letters(entry.name), letters(encoder.name));
            assert_eq!(entry.normalization, encoder.normalization, "{}", encoder.name);
            assert_eq!(encoder_of(entry).map(|encoder| encoder.name), Some(encoder.name));
        }
        let regnet = find("regnet_y_1_6gf-v2").and_then(encoder_of).map(|encoder| encoder.name);
        assert_eq!(regnet, Some("regnety-016"));
        let second = find("resnet50-v2").and_then(encoder_of).map(|encoder| encoder.name);
        assert_eq!(second, Some("resnet50"));
    }

    #[test]
    fn only_what_is_here_or_small_is_offered() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(folder.path());
        let offline = Store::new(StoreSettings { offline: true, ..settings.clone() });
        let online = Store::new(settings);
        let offered = |start: &StartWeights, wished: Option<&str>, store: &Store| -> Vec<String> {
            let all = candidates(start, wished, store).expect("nothing is named");
            all.into_iter().map(|weights| format!("{} {:?}", weights.weights, weights.origin)).collect()
        };
        let fetched = offered(&StartWeights::Auto, None, &online);
        assert_eq!(fetched.len(), 5);
        assert!(fetched.iter().all(|name| name.starts_with("efficientnet_lite")), "{fetched:?}");
        for (start, store) in [
            (StartWeights::Auto, &offline),
            (StartWeights::Offline, &online),
            (StartWeights::Random, &online),
        ] {
            assert!(offered(&start, None, store).is_empty(), "{start:?}");
        }
        let wished = offered(&StartWeights::Auto, Some("unet-resnet18"), &online);
        assert!(wished.contains(&"resnet18 Fetched".to_owned()), "{wished:?}");
        assert!(!wished.iter().any(|name| name.starts_with("vgg")), "half a gigabyte: {wished:?}");

        let entry = find("resnet34").expect("of the catalogue");
        std::fs::write(online.path(entry), "weights").expect("the folder is writable");
        for store in [&offline, &online] {
            assert_eq!(offered(&StartWeights::Offline, None, store), ["resnet34 Here"]);
        }
        assert!(offered(&StartWeights::Random, None, &online).is_empty());
        assert_eq!(missed().map(|entry| entry.name), Some("efficientnet_lite0"));
    }

    #[test]
    fn names_and_files_stand_for_their_encoder() {
        let store = Store::new(StoreSettings::new("nowhere"));
        let of = |name: &str| candidates(&StartWeights::Of(name.to_owned()), None, &store);
        let named = of("efficientnet_lite2").expect("of the catalogue");
        assert_eq!((named[0].encoder, named[0].origin), ("efficientnet-lite2", Origin::Asked));
        assert!(matches!(of("u2net"), Err(StartError::NoEncoder(_))));
        assert!(matches!(of("efficientnet"), Err(StartError::Unknown(_))));

        // All layers of Lite0 are in B0, but not the other way round.
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (encoder, naming) in [
            ("efficientnet-lite0", Naming::Numbered),
            ("efficientnet-lite0", Naming::Timm),
            ("efficientnet-b0", Naming::Timm),
            ("efficientnet-smp-b0", Naming::Encoder),
            ("resnext50-32x4d", Naming::Encoder),
            ("resnet18", Naming::Encoder),
        ] {
            let config = NetConfig::new(&format!("unet-{encoder}"), 3, 2).expect("of the registry");
            let state = State::init(&config.build(Shape::new(1, 64, 64, 3)).expect("the size fits"), 0);
            let entries = named_as(&config, &state, naming).expect("of the registry");
            let path = folder.path().join("weights.safetensors");
            std::fs::write(&path, write_state_dict(&entries).expect("each has a name"))
                .expect("the folder is writable");
            assert_eq!(recognized(&path).expect("it is whole").name, encoder, "{naming:?}");
        }
    }
}
