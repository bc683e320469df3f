//! timm's names for the layers of EfficientNet-B0 to B3, EfficientNet-Lite, MobileNetV3-Large and ConvNeXt. Its networks
//! `efficientnet_b0` to `b3`, `mobilenetv3_large_100`, `convnext_tiny` and `convnext_small` are equivalent to torchvision's,
//! whose names dapple uses; `tf_efficientnet_lite0` to `lite4` are the published ones.
//!
//! | dapple | timm |
//! |---|---|
//! | `features.0.0`, `features.0.1` of the first two | `conv_stem`, `bn1` |
//! | `features.2.0.block` of EfficientNet: the layers of a block | `blocks.1.0`: `conv_pw`, `bn1`, `conv_dw`, `bn2`, `se.conv_reduce`, `se.conv_expand`, `conv_pwl`, `bn3` |
//! | the same without an expansion | `conv_dw`, `bn1`, `se`, `conv_pw`, `bn2` |
//! | `features.4.block` of MobileNetV3 | `blocks.2.0` likewise |
//! | `features.16.0`, `features.16.1` of MobileNetV3 | `blocks.6.0.conv`, `blocks.6.0.bn1` |
//! | `features.0`, `features.2` of ConvNeXt | `stem`, `stages.1.downsample` |
//! | `features.1.0.block.0` (`2`, `3`, `5`), `layer_scale` | `stages.0.blocks.0.conv_dw` (`norm`, `mlp.fc1`, `mlp.fc2`), `gamma` |
//!
//! The other networks `tf_...` have the same names but pad and normalize as TensorFlow does: their weights fit, but give slightly
//! different outputs. `efficientnet-b0` of segmentation_models_pytorch pads likewise and has names of its own
//! (`_conv_stem`), which are not supported.

/// timm's eps in MobileNetV3's batch norms.
const MOBILENET_EPS: f32 = 1e-5;

/// torchvision's eps, and dapple's.
const OWN_MOBILENET_EPS: f32 = 1e-3;

/// timm's stage and index for the lines of MobileNetV3's table 1.
const MOBILENET: [(usize, usize); 15] = [
    (0, 0),
    (1, 0),
    (1, 1),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 1),
    (3, 2),
    (3, 3),
    (4, 0),
    (4, 1),
    (5, 0),
    (5, 1),
    (5, 2),
];

/// Whether timm's names of this encoder are known.
pub(super) fn knows(encoder: &str) -> bool {
    ["efficientnet-", "mobilenetv3-", "convnext-"].iter().any(|family| encoder.starts_with(family))
}

/// timm's name of an encoder's parameter `features.INDEX.LAYER`.
pub(super) fn name(encoder: &str, own: &str) -> Option<String> {
    let (index, layer) = own.strip_prefix("features.").unwrap_or(own).split_once('.')?;
    let index: usize = index.parse().ok()?;
    if encoder.starts_with("convnext") {
        return convnext(index, layer);
    }
    // The last layer of MobileNetV3 has a convolution and a norm too.
    let ends = match (index, encoder.starts_with("mobilenet")) {
        (0, _) => Some(["conv_stem", "bn1"]),
        (16, true) => Some(["blocks.6.0.conv", "blocks.6.0.bn1"]),
        _ => None,
    };
    if let Some(names) = ends {
        let (which, part) = layer.split_once('.')?;
        return Some(format!("{}.{part}", names.get(which.parse::<usize>().ok()?)?));
    }
    let (stage, block, layer) = if encoder.starts_with("mobilenet") {
        let (stage, block) = *MOBILENET.get(index - 1)?;
        (stage, block, layer)
    } else {
        let (block, layer) = layer.split_once('.')?;
        (index - 1, block.parse().ok()?, layer)
    };
    // The blocks of the first stage do not expand.
    Some(format!("blocks.{stage}.{block}.{}", inverted(layer.strip_prefix("block.")?, index > 1)?))
}

/// Offset to add to timm's values. A running variance takes the difference of the eps, so that the sum of both is the
/// same.
pub(super) fn shift(encoder: &str, own: &str) -> f32 {
    match encoder.starts_with("mobilenet") && own.ends_with(".running_var") {
        true => MOBILENET_EPS - OWN_MOBILENET_EPS,
        false => 0.0,
    }
}

/// A layer of an inverted bottleneck, `PLACE.LAYER.PART`.
fn inverted(layer: &str, expands: bool) -> Option<String> {
    let mut parts = layer.split('.');
    let (place, layer, part) = (parts.next()?.parse::<usize>().ok()?, parts.next()?, parts.next()?);
    let gate = match layer {
        "fc1" => Some("se.conv_reduce"),
        "fc2" => Some("se.conv_expand"),
        _ => None,
    };
    if let Some(gate) = gate {
        return Some(format!("{gate}.{part}"));
    }
    // Expansion, depthwise convolution, projection; a gate may stand between the last two.
    let names: &[&str] = if expands { &["conv_pw", "conv_dw", "conv_pwl"] } else { &["conv_dw", "conv_pw"] };
    let place = place.min(names.len() - 1);
    Some(if layer == "0" { format!("{}.{part}", names[place]) } else { format!("bn{}.{part}", place + 1) })
}

fn convnext(index: usize, layer: &str) -> Option<String> {
    let stage = index / 2;
    match index {
        0 => return Some(format!("stem.{layer}")),
        _ if index.is_multiple_of(2) => return Some(format!("stages.{stage}.downsample.{layer}")),
        _ => {}
    }
    let (block, layer) = layer.split_once('.')?;
    let there = match layer.strip_prefix("block.").and_then(|layer| layer.split_once('.')) {
        None if layer == "layer_scale" => "gamma".to_owned(),
        Some(("0", part)) => format!("conv_dw.{part}"),
        Some(("2", part)) => format!("norm.{part}"),
        Some(("3", part)) => format!("mlp.fc1.{part}"),
        Some(("5", part)) => format!("mlp.fc2.{part}"),
        _ => return None,
    };
    Some(format!("stages.{stage}.blocks.{block}.{there}"))
}

/// The name in a network with `features_only`, where ConvNeXt's stages are separate layers.
pub(super) fn in_feature_list(name: &str) -> String {
    match name.starts_with("stem.") || name.starts_with("stages.") {
        true => name.replacen('.', "_", 1),
        false => name.to_owned(),
    }
}
