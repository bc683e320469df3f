//! Models of the Hugging Face hub: their folders in the cache.
//!
//! [`HubConfig`] says which networks are read. A model stays at the commit that its first use found; see
//! [`dapple_weights::Hub`].

use std::path::{Path, PathBuf};

use dapple_base::read_regular;
use dapple_nets::checkpoint::{ContentError, HubConfig, shard_names};
use dapple_weights::{DownloadProgress, Hub, HubFile, HubName, Snapshot, Store, WeightsError};
use serde_json::Value;

use crate::unfound::FindModelError;

/// The description of a network.
const CONFIG: &str = "config.json";

/// Files that are fetched beside it where a repository has them.
const BESIDE: [&str; 2] = ["preprocessor_config.json", "README.md"];

/// Files of weights, the best first.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Most bytes of a description or an index.
const MOST_BYTES: u64 = 64 << 20;

/// What a model of the hub is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubUse {
    /// To be used as it is: its network must be one that is read.
    Model,
    /// To start a training from: an encoder is enough.
    Start,
}

/// Whoever is told of downloads.
pub trait HubListener {
    /// Before a download: what, how large, from where, under which licence.
    fn announce(&mut self, what: &str);
    /// For every piece of a file.
    fn progress(&mut self, file: &str, progress: DownloadProgress);
}

/// Tells nobody.
impl HubListener for () {
    fn announce(&mut self, _: &str) {}
    fn progress(&mut self, _: &str, _: DownloadProgress) {}
}

/// The folder of a model of the hub with its description and its weights, which are downloaded if they are not in the cache.
/// The weights are fetched only once the description is known to be that of a network that can be used.
///
/// # Errors
/// [`FindModelError::Weights`] for what cannot be fetched, [`FindModelError::Checkpoint`] and [`FindModelError::HubKind`] for a
/// network that cannot be used.
pub fn hub_folder(
    store: &Store,
    name: &HubName,
    purpose: HubUse,
    listener: &mut dyn HubListener,
) -> Result<PathBuf, FindModelError> {
    let hub = store.hub();
    let snapshot = hub.look(name)?;
    let config = listed(&snapshot, CONFIG)?;
    let mut small = vec![config];
    small.extend(BESIDE.iter().filter_map(|file| snapshot.file(file)));
    get_all(hub, &snapshot, &small, "the description of ", listener)?;
    check(&hub.folder(&snapshot).join(CONFIG), name, purpose)?;

    let Some(weights) = WEIGHTS.iter().find_map(|file| snapshot.file(file)) else {
        return Err(absent(&snapshot, WEIGHTS[0]).into());
    };
    let mut files = vec![weights];
    if weights.name.ends_with(".index.json") {
        get_all(hub, &snapshot, &files, "the index of the weights of ", listener)?;
        let path = hub.folder(&snapshot).join(&weights.name);
        let failed = |error: ContentError| FindModelError::Checkpoint(error.of(&path));
        let index = read_regular(&path, MOST_BYTES)
            .map_err(|error| failed(ContentError::Unreadable(error.to_string())))?;
        for shard in shard_names(&index).map_err(failed)? {
            files.push(listed(&snapshot, &shard)?);
        }
    }
    get_all(hub, &snapshot, &files, "", listener)?;
    Ok(hub.folder(&snapshot))
}

/// The file of that name.
fn listed<'s>(snapshot: &'s Snapshot, file: &str) -> Result<&'s HubFile, WeightsError> {
    snapshot.file(file).ok_or_else(|| absent(snapshot, file))
}

fn absent(snapshot: &Snapshot, file: &str) -> WeightsError {
    let (name, commit) = (snapshot.name.to_string(), snapshot.commit.clone());
    WeightsError::HubFile { name, commit, file: file.to_owned() }
}

/// Fetches files, after a word about those that are not in the cache.
fn get_all(
    hub: Hub<'_>,
    snapshot: &Snapshot,
    files: &[&HubFile],
    what: &str,
    listener: &mut dyn HubListener,
) -> Result<(), FindModelError> {
    let missing = files.iter().filter(|file| !hub.has(snapshot, file));
    let bytes: u64 = missing.map(|file| file.bytes).sum();
    if bytes > 0 && !hub.is_offline() {
        let size = if bytes < 1_000_000 {
            format!("{} kB", bytes.div_ceil(1000))
        } else {
            format!("{:.1} MB", bytes as f64 / 1e6)
        };
        listener.announce(&format!(
            "fetching {what}{}: {size} from {}, commit {}, licence {}; it is kept for the next time",
            snapshot.name,
            hub.endpoint(),
            &snapshot.commit[..12],
            snapshot.licence.as_deref().unwrap_or("not stated")
        ));
    }
    for file in files {
        hub.get(snapshot, file, &mut |progress| listener.progress(&file.name, progress))?;
    }
    Ok(())
}

/// Refuses a description of a network that cannot be used, before its weights are fetched.
fn check(path: &Path, name: &HubName, purpose: HubUse) -> Result<(), FindModelError> {
    let shown = PathBuf::from(format!("{name}/{CONFIG}"));
    let failed = |error: ContentError| FindModelError::Checkpoint(error.of(&shown));
    let bytes = read_regular(path, MOST_BYTES)
        .map_err(|error| failed(ContentError::Unreadable(error.to_string())))?;
    let settings: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let is_encoder = settings["architecture"].is_string() || settings["model_type"] == "segformer";
    if settings["_model_class"].is_string() || (purpose == HubUse::Start && is_encoder) {
        return Ok(());
    }
    match HubConfig::parse(&bytes).map_err(failed)? {
        Some(_) => Ok(()),
        None if is_encoder => {
            Err(kind(name, "it is an encoder of timm, which `dapple train --init` starts from"))
        }
        None => {
            Err(kind(name, "its config.json is neither of transformers nor of segmentation_models_pytorch"))
        }
    }
}

fn kind(name: &HubName, why: &str) -> FindModelError {
    FindModelError::HubKind { name: name.to_string(), why: why.to_owned() }
}
