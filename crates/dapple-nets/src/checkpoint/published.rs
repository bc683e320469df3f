//! Weights under their published names.

use super::named_tensor::NamedTensor;
use super::naming::{Naming, Translator, is_on_universal, is_translated, published_shape};
use crate::config::{Dilation, NetConfig};
use crate::registry::NetworkEntry;
use dapple_graph::{GraphError, Network, Shape, State};
use std::collections::HashMap;

/// A network's weights under the names and with the shapes of its published checkpoints, so that the network of their
/// publisher loads them as they are: torchvision's, Hugging Face's, or segmentation_models_pytorch's on its encoders with
/// timm's names (`timm-efficientnet-b0`; `tu-mobilenetv3_large_100`, `tu-convnext_tiny`, `tu-tf_efficientnet_lite0`,
/// `tu-wide_resnet50_2`, and `tu-efficientnet_b0` or `tu-resnet34` where [`Dilation::Later`] is set).
///
/// # Errors
/// If the network is unknown or cannot be built.
pub fn published(config: &NetConfig, state: &State) -> Result<Vec<NamedTensor>, GraphError> {
    let network = entry(config)?;
    let mut entries = named_as(config, state, published_naming(config, network))?;
    if encoder_is(network, "efficientnet-smp") {
        entries.extend(last_layer(&entries, "_blocks.", ["_conv_head", "_bn1"]));
    }
    Ok(entries)
}

/// A network's weights in a naming scheme.
///
/// # Errors
/// If the network is unknown or cannot be built.
pub fn named_as(config: &NetConfig, state: &State, naming: Naming) -> Result<Vec<NamedTensor>, GraphError> {
    let network = entry(config)?;
    let input = Shape::new(1, network.smallest, network.smallest, config.in_channels);
    let used = config.build(input)?.used_params();
    let translator = Translator::new(network, naming, state);
    let mut entries: Vec<NamedTensor> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, spec) in state.specs.iter().enumerate() {
        let Some(source) = translator.source(spec) else { continue };
        if !used[index] && naming == Naming::TimmUniversal && is_cut(network) {
            continue;
        }
        let mut shape = published_shape(spec, naming);
        match places.get(&source.name) {
            // Parts follow each other in order.
            Some(&at) => entries[at].values.extend(state.slice(index)),
            None => {
                shape[0] *= source.parts;
                places.insert(source.name.clone(), entries.len());
                let values = state.slice(index).iter().map(|value| value - source.shift).collect();
                entries.push(NamedTensor { name: source.name, shape, values });
            }
        }
    }
    if naming == Naming::TimmEncoder {
        entries.extend(last_layer(&entries, "blocks.6.", ["conv_head", "bn2"]));
    }
    Ok(entries)
}

fn entry(config: &NetConfig) -> Result<&'static NetworkEntry, GraphError> {
    config.entry().map_err(|error| GraphError::Config(error.to_string()))
}

/// The scheme under which the publisher of the network keeps its weights.
fn published_naming(config: &NetConfig, network: &NetworkEntry) -> Naming {
    let on_timm = is_on_universal(network) && network.encoder_prefix == Some("encoder.");
    let dilates_later = config.dilation == Some(Dilation::Later);
    match on_timm {
        true if encoder_is(network, "efficientnet-b") && !dilates_later => Naming::TimmEncoder,
        true if encoder_is(network, "res") && !dilates_later => Naming::Own,
        true => Naming::TimmUniversal,
        false if is_translated(network) => Naming::Published,
        false => Naming::Own,
    }
}

fn encoder_is(network: &NetworkEntry, family: &str) -> bool {
    network.encoder.is_some_and(|encoder| encoder.name.starts_with(family))
}

/// Whether timm's encoder has no more stages than the network uses.
fn is_cut(network: &NetworkEntry) -> bool {
    ["convnext", "res", "wide-res", "regnety"].iter().any(|family| encoder_is(network, family))
}

/// The convolution before the classifier of EfficientNet and its batch norm, under these names: segmentation_models_pytorch keeps
/// them without using them. The convolution has four times the channels of the last of the `blocks`; all zeros, and a batch norm
/// that changes nothing.
fn last_layer(entries: &[NamedTensor], blocks: &str, [conv, norm]: [&str; 2]) -> Vec<NamedTensor> {
    let blocks = format!("encoder.{blocks}");
    let last = entries.iter().rfind(|entry| entry.name.starts_with(&blocks) && entry.shape.len() == 4);
    let Some(channels) = last.map(|entry| entry.shape[0]) else { return Vec::new() };
    let all = 4 * channels;
    let of_norm = |name: &str, value: f32| NamedTensor {
        name: format!("encoder.{norm}.{name}"),
        shape: vec![all],
        values: vec![value; all],
    };
    let conv = NamedTensor {
        name: format!("encoder.{conv}.weight"),
        shape: vec![all, channels, 1, 1],
        values: vec![0.0; all * channels],
    };
    vec![
        conv,
        of_norm("weight", 1.0),
        of_norm("bias", 0.0),
        of_norm("running_mean", 0.0),
        of_norm("running_var", 1.0),
    ]
}
