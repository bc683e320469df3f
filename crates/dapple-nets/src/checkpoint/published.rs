//! Weights under their published names.

use super::named_tensor::NamedTensor;
use super::naming::{Naming, Translator, is_on_timm, is_translated, published_shape};
use crate::config::{Dilation, NetConfig};
use crate::registry::NetworkEntry;
use dapple_graph::{GraphError, Network, Shape, State};
use std::collections::HashMap;

/// A network's weights under the names and with the shapes of its published checkpoints, so that the network of their
/// publisher loads them as they are: torchvision's, Hugging Face's, or segmentation_models_pytorch's on its encoders with
/// timm's names (`timm-efficientnet-b0`; `tu-mobilenetv3_large_100`, `tu-convnext_tiny`, `tu-tf_efficientnet_lite0`, and
/// `tu-efficientnet_b0` where [`Dilation::Later`] is set).
///
/// # Errors
/// If the network is unknown or cannot be built.
pub fn published(config: &NetConfig, state: &State) -> Result<Vec<NamedTensor>, GraphError> {
    named_as(config, state, published_naming(config, entry(config)?))
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
        // timm's ConvNeXt has no more stages than the network uses.
        if !used[index] && naming == Naming::TimmUniversal && encoder_is(network, "convnext") {
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
        entries.extend(last_layer(&entries));
    }
    Ok(entries)
}

fn entry(config: &NetConfig) -> Result<&'static NetworkEntry, GraphError> {
    config.entry().map_err(|error| GraphError::Config(error.to_string()))
}

/// The scheme under which the publisher of the network keeps its weights.
fn published_naming(config: &NetConfig, network: &NetworkEntry) -> Naming {
    let on_timm = is_on_timm(network) && network.encoder_prefix == Some("encoder.");
    match on_timm {
        true if encoder_is(network, "efficientnet-b") && config.dilation != Some(Dilation::Later) => {
            Naming::TimmEncoder
        }
        true => Naming::TimmUniversal,
        false if is_translated(network) => Naming::Published,
        false => Naming::Own,
    }
}

fn encoder_is(network: &NetworkEntry, family: &str) -> bool {
    network.encoder.is_some_and(|encoder| encoder.name.starts_with(family))
}

/// The convolution before the classifier of timm's EfficientNet: segmentation_models_pytorch keeps it without using it. It
/// has four times the channels of the last stage; all zeros, and a batch norm that changes nothing.
fn last_layer(entries: &[NamedTensor]) -> Vec<NamedTensor> {
    let last =
        entries.iter().rfind(|entry| entry.name.starts_with("encoder.blocks.6.") && entry.shape.len() == 4);
    let Some(channels) = last.map(|entry| entry.shape[0]) else { return Vec::new() };
    let all = 4 * channels;
    let norm = |name: &str, value: f32| NamedTensor {
        name: format!("encoder.bn2.{name}"),
        shape: vec![all],
        values: vec![value; all],
    };
    let conv = NamedTensor {
        name: "encoder.conv_head.weight".to_owned(),
        shape: vec![all, channels, 1, 1],
        values: vec![0.0; all * channels],
    };
    vec![conv, norm("weight", 1.0), norm("bias", 0.0), norm("running_mean", 0.0), norm("running_var", 1.0)]
}
