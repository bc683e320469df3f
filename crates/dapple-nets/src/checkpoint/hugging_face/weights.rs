//! The weights of a network of the hub.

use super::config::{HubConfig, HubNetwork};
use crate::checkpoint::error::{CheckpointError, ContentError};
use crate::checkpoint::named_tensor::NamedTensor;
use crate::checkpoint::naming::both_names;
use crate::checkpoint::saved::weights_file;
use crate::checkpoint::shards::read_weights;
use crate::config::NetConfig;
use crate::imported::ImportedNetwork;
use crate::models::PREPARATION;
use dapple_graph::{Graph, Network, ParamSpec, Shape, State};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// From pixel values between 0 and 1 to what a network takes: `value * scale + shift` of each channel, in the channels' order or
/// in the reverse.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelMap {
    /// Factors, one a channel.
    pub scale: Vec<f32>,
    /// Addends, one a channel.
    pub shift: Vec<f32>,
    /// Whether the network takes blue, green, red.
    pub reversed: bool,
}

/// A network of the hub with its weights.
#[derive(Clone, Debug)]
pub struct HubModel {
    /// The network: one of the registry, or with any sizes.
    pub config: NetConfig,
    /// All its parameters.
    pub state: State,
    /// Tensors that the network does not have, beside those of an auxiliary head, which only training uses.
    pub unused: Vec<String>,
}

impl HubConfig {
    /// Reads the weights in the folder of the configuration. A network that prepares its pixels itself is none of the registry.
    ///
    /// # Errors
    /// As [`read_state_dict`](crate::checkpoint::read_state_dict), for parameters that the files do not have or have with another
    /// shape, for NaN, infinite weights and negative variances, and for a map of pixels of other channels.
    pub fn read(&self, folder: &Path, pixels: Option<&PixelMap>) -> Result<HubModel, CheckpointError> {
        let file = weights_file(folder)?;
        let entries = read_weights(&file, &|name| !name.contains("optimizer"))?;
        self.with(&entries, pixels).map_err(|error| error.of(&file))
    }

    fn with(&self, entries: &[NamedTensor], pixels: Option<&PixelMap>) -> Result<HubModel, ContentError> {
        let channels = self.in_channels();
        if pixels.is_some_and(|map| map.scale.len() != channels || map.shift.len() != channels) {
            let why = format!("pixels are prepared for other channels than the {channels} of its input");
            return Err(ContentError::Unreadable(why));
        }
        let network = match pixels {
            Some(_) => self.network.preparing(),
            None => self.network.clone(),
        };
        let config = match self.registered().filter(|_| pixels.is_none()) {
            Some(config) => config,
            None => self.unregistered(network.clone()),
        };
        let graph = network.build(Shape::new(1, 64, 64, channels))?;
        let found = found(&network, &graph, entries)?;
        let (values, statistics) = (vec![0.0; graph.trainable_len()], vec![0.0; graph.statistics_len()]);
        let mut state = State { specs: graph.params().to_vec(), values, statistics };
        for (index, entry) in found.iter().enumerate() {
            if let Some(entry) = entry {
                state.slice_mut(index).copy_from_slice(&entry.values);
            }
        }
        if let Some(map) = pixels {
            prepare(&mut state, map);
        }
        if let Some(unsound) = state.find_unsound(&graph) {
            let (name, why) = (unsound.parameter.clone(), unsound.to_string());
            return Err(ContentError::Parameter { name, why });
        }
        let used: HashSet<&str> = found.iter().flatten().map(|entry| entry.name.as_str()).collect();
        let is_left = |name: &&str| {
            !used.contains(name)
                && !name.starts_with("auxiliary_head.")
                && !name.ends_with("num_batches_tracked")
        };
        let names = entries.iter().map(|entry| entry.name.as_str());
        let unused = names.filter(is_left).map(str::to_owned).collect();
        Ok(HubModel { config, state, unused })
    }

    /// The description of a network that the registry does not have.
    fn unregistered(&self, network: HubNetwork) -> NetConfig {
        let sizes = [self.in_channels(), self.classes()];
        let network = ImportedNetwork::new(network);
        NetConfig::of_imported(self.architecture.to_owned(), sizes, self.activation(), network)
    }
}

/// For each parameter its tensor, but none for those of the preparation. Nothing of the parameters' size is allocated before the
/// files are known to have them.
fn found<'e>(
    network: &HubNetwork,
    graph: &Graph,
    entries: &'e [NamedTensor],
) -> Result<Vec<Option<&'e NamedTensor>>, ContentError> {
    let by_name: HashMap<&str, &NamedTensor> =
        entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let tensor = |spec: &ParamSpec| match network {
        HubNetwork::SegFormer(_) => {
            both_names(&spec.name).iter().find_map(|name| by_name.get(name.as_str()).copied())
        }
        HubNetwork::UperNet(_) => by_name.get(spec.name.as_str()).copied(),
    };
    let of = |spec: &ParamSpec| {
        if spec.name.strip_prefix(PREPARATION).is_some_and(|rest| rest.starts_with('.')) {
            return Ok(None);
        }
        let refuse = |why: String| Err(ContentError::Parameter { name: spec.name.clone(), why });
        let Some(entry) = tensor(spec) else {
            return refuse(
                "the file does not have it, so that the weights are not those of this whole network"
                    .to_owned(),
            );
        };
        if !is_shaped(&entry.shape, &spec.shape) || entry.values.len() != spec.len() {
            return refuse(format!(
                "its shape is {:?}, but that of the network {:?}",
                entry.shape, spec.shape
            ));
        }
        Ok(Some(entry))
    };
    graph.params().iter().map(of).collect()
}

/// Whether a tensor has the shape of a parameter, without axes of extent 1 at its end: linear layers have two axes there.
fn is_shaped(there: &[usize], here: &[usize]) -> bool {
    here.starts_with(there) && here[there.len()..].iter().all(|&extent| extent == 1)
}

/// Fills the layer that prepares pixels.
fn prepare(state: &mut State, map: &PixelMap) {
    let channels = map.scale.len();
    let mut weight = vec![0.0; channels * channels];
    for (out, &scale) in map.scale.iter().enumerate() {
        let source = if map.reversed { channels - 1 - out } else { out };
        weight[out * channels + source] = scale;
    }
    for (part, values) in [("weight", &weight), ("bias", &map.shift)] {
        let name = format!("{PREPARATION}.{part}");
        if let Some(index) = state.specs.iter().position(|spec| spec.name == name) {
            state.slice_mut(index).copy_from_slice(values);
        }
    }
}
