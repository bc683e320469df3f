//! The settings of a network from the shapes of its parameters in a state dict.

use super::state_dict::{Recognized, named, recognize};
use crate::checkpoint::named_tensor::NamedTensor;
use crate::checkpoint::naming::Naming;
use crate::config::{Activation, ConfigError, DecoderAttention, Dilation, NetConfig};
use dapple_graph::{GraphError, Network, Shape, State};
use std::collections::HashMap;

/// Numbers of channels and classes that no layer has by itself, so that they are found again in the shapes.
const CHANNELS: usize = 61;
const CLASSES: usize = 251;

/// A network whose settings cannot be found in the shapes of a state dict.
#[derive(Debug, thiserror::Error)]
pub enum ShapesError {
    /// No such network.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A parameter that the settings follow from is missing.
    #[error("the weights have no {0} of `{1}`, so that they are not those of this whole network")]
    Missing(&'static str, String),
}

/// The network of that name with the channels, the classes and the width of a state dict, the dilation of its encoder and the
/// attention in its decoder.
/// One logit stands for two classes with a sigmoid; for several, softmax is taken.
///
/// # Errors
/// For an unknown name, and if the first or the last layer is not in the state dict.
pub fn shaped_like(name: &str, entries: &[NamedTensor]) -> Result<NetConfig, ShapesError> {
    let published = NetConfig::new(name, 3, 2)?;
    let probe = NetConfig {
        in_channels: CHANNELS,
        classes: CLASSES,
        activation: Activation::Softmax,
        ..published.clone()
    };
    let network = probe.entry()?;
    let graph = probe.build(Shape::new(1, network.smallest, network.smallest, CHANNELS))?;
    let state = State { specs: graph.params().to_vec(), values: Vec::new(), statistics: Vec::new() };
    let entries = named(entries);
    let Recognized { naming, translator, prefix, .. } = recognize(network, &state, &entries);
    let shapes: HashMap<&str, &[usize]> =
        entries.iter().map(|(name, entry)| (name.as_str(), entry.shape.as_slice())).collect();
    let there = |spec| {
        let source = translator.source(spec)?;
        shapes.get(format!("{prefix}{}", source.name).as_str()).copied()
    };
    let missing = |layer| ShapesError::Missing(layer, name.to_owned());
    let first = &state.specs[0];
    let &[filters, in_channels, ..] = there(first).ok_or_else(|| missing("first layer"))? else {
        return Err(missing("first layer"));
    };
    let head = state.specs.iter().filter(|spec| spec.shape[0] == CLASSES).find_map(there);
    let &[logits, ..] = head.ok_or_else(|| missing("head"))? else { return Err(missing("head")) };
    let width = published.width.saturating_mul(filters) / first.shape[0];
    let activation = if logits == 1 { Activation::Sigmoid } else { Activation::Softmax };
    let is_timms = naming == Naming::TimmUniversal && !network.output_strides.is_empty();
    let dilation = is_timms.then_some(Dilation::Later);
    let attends = network.has_decoder_attention && entries.iter().any(|(name, _)| name.contains(".cSE."));
    let decoder_attention = attends.then_some(DecoderAttention::Scse);
    let classes = logits.max(2);
    let config =
        NetConfig { in_channels, classes, activation, width, dilation, decoder_attention, ..published };
    config.check()?;
    Ok(config)
}
