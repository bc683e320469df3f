//! `--init`: the weights that a training starts from, and their word on its network.

use std::path::{Path, PathBuf};

use dapple::hub::HubUse;
use dapple::models::published_network;
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::Normalization;
use dapple::nets::registry::{NetworkEntry, networks};
use dapple::pretrained::imagenet_entry;
use dapple::train::{Initial, LossConfig, TrainConfig};
use dapple::weights::{CatalogueEntry, HubName, find};

use super::common::models::{fetch, fetch_hub, store};
use super::failure::Failure;

/// Weights to start from.
pub struct Start {
    kind: Kind,
    /// The network that they name.
    pub network: Option<NetConfig>,
    normalization: Option<Normalization>,
}

enum Kind {
    /// ImageNet weights of the network's encoder.
    ImageNet,
    /// Published weights, to be downloaded.
    Published(&'static CatalogueEntry),
    /// A run, a file or a built-in model.
    Found(Initial),
}

impl Start {
    /// The weights of a value of `--init`: `imagenet`, a path or a name. Nothing is downloaded yet, but for a model of the hub,
    /// whose files tell its network.
    pub fn find(init: &Path, offline: bool, quiet: bool) -> Result<Self, Failure> {
        let name = init.to_str().unwrap_or_default();
        if let Some(repository) = HubName::parse(name) {
            let folder = fetch_hub(&store(offline)?, &repository?, HubUse::Start, quiet)?;
            return Self::found(&folder);
        }
        if name == "imagenet" {
            return Ok(Self { kind: Kind::ImageNet, network: None, normalization: None });
        }
        // A file or folder of that name comes first.
        if let Some(entry) = find(name).filter(|_| !init.exists()) {
            let (network, normalization) = published_network(entry).unzip();
            return Ok(Self { kind: Kind::Published(entry), network, normalization });
        }
        Self::found(init)
    }

    fn found(init: &Path) -> Result<Self, Failure> {
        let initial = Initial::find(init)?;
        Ok(Self {
            network: initial.network()?,
            normalization: initial.normalization(),
            kind: Kind::Found(initial),
        })
    }

    /// Whether the weights are a model of this program, whose network is the one to train.
    pub fn is_model(&self) -> bool {
        matches!(&self.kind, Kind::Found(initial) if initial.normalization().is_some())
    }

    /// Takes over the settings of the weights' network, with the classes of the data, where they are for the network to
    /// train. A recipe keeps its activation, loss and normalization, and takes a network from a model only.
    pub fn describe(&self, config: &mut TrainConfig, is_recipe: bool) -> Result<(), Failure> {
        let Some(saved) = self.network.as_ref().filter(|saved| saved.name == config.network.name) else {
            return Ok(());
        };
        let NetConfig { classes, activation: usual, .. } = config.network;
        if is_recipe {
            if self.is_model() {
                config.network = NetConfig { classes, activation: usual, ..saved.clone() };
                config.input.channels = saved.in_channels;
            }
            return Ok(());
        }
        // One logit for two classes, or one for each: the head can be kept where that stays.
        let is_kept = saved.classes == classes || (saved.classes > 2 && classes > 2);
        let activation = if is_kept { saved.activation } else { usual };
        config.network = NetConfig { classes, activation, ..saved.clone() };
        config.input.channels = saved.in_channels;
        config.input.normalization = self.normalization.unwrap_or(config.input.normalization);
        if activation != usual {
            let suited = TrainConfig::for_config(config.network.clone(), &config.data.dir)?.loss;
            config.loss = LossConfig { class_weights: config.loss.class_weights.clone(), ..suited };
        }
        Ok(())
    }

    /// The value of the setting `init` for this network: a path, which is downloaded where that is needed, or the name of a
    /// built-in model. Checked before the folder of a run is made, and again when the weights are read.
    pub fn place(&self, network: &NetConfig, offline: bool, quiet: bool) -> Result<PathBuf, Failure> {
        let entry = match &self.kind {
            Kind::ImageNet => imagenet_entry(network).ok_or_else(|| no_encoder(network))?,
            Kind::Published(entry) => entry,
            Kind::Found(initial) => {
                initial.check(network)?;
                return Ok(initial.setting());
            }
        };
        fetch(&store(offline)?, entry, quiet)
    }
}

/// Refuses to replace the run that a training is to start from.
pub fn check_apart(config: &TrainConfig, out: &Path) -> Result<(), Failure> {
    let Some(Ok(init)) = config.init.as_ref().map(|init| init.canonicalize()) else { return Ok(()) };
    match out.canonicalize() {
        Ok(out_there) if init.starts_with(&out_there) => Err(Failure::input(format!(
            "{}: this run has the weights to start from, and would be replaced; give another folder with --out",
            out.display()
        ))),
        // The folder is new.
        _ => Ok(()),
    }
}

fn no_encoder(network: &NetConfig) -> Failure {
    let has_encoder = |entry: &&NetworkEntry| {
        imagenet_entry(&NetConfig { name: entry.name.clone(), ..network.clone() }).is_some()
    };
    let mut families: Vec<&str> = networks().iter().filter(has_encoder).map(|entry| entry.family).collect();
    families.dedup();
    Failure::input(format!(
        "--init imagenet: `{}` has no encoder with published ImageNet weights; the families with one are {}",
        network.name,
        families.join(", ")
    ))
}
