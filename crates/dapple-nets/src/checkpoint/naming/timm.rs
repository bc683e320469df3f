//! timm's names for the layers of EfficientNet-B0 to B7, EfficientNet-Lite, MobileNetV2 and V3, and ConvNeXt. Its networks
//! `efficientnet_b0` to `b7`, `mobilenetv2_100`, `mobilenetv3_large_100` and `small_100`, and `convnext_tiny` to `large` are
//! equivalent to torchvision's, whose names dapple uses; `tf_efficientnet_lite0` to `lite4` are the published ones. Those of
//! ResNet, wide ResNet and ResNeXt are torchvision's; EfficientNetV2, HRNet, MobileNetV4 and RegNetY have timm's names here.
//!
//! | dapple | timm |
//! |---|---|
//! | `features.0.0`, `features.0.1` of the first two | `conv_stem`, `bn1` |
//! | `features.2.0.block` of EfficientNet: the layers of a block | `blocks.1.0`: `conv_pw`, `bn1`, `conv_dw`, `bn2`, `se.conv_reduce`, `se.conv_expand`, `conv_pwl`, `bn3` |
//! | the same without an expansion | `conv_dw`, `bn1`, `se`, `conv_pw`, `bn2` |
//! | `features.4.block` of MobileNetV3 | `blocks.2.0` likewise |
//! | `features.16.0`, `features.16.1` of MobileNetV3-Large | `blocks.6.0.conv`, `blocks.6.0.bn1` |
//! | `features.2.conv.0.0` of MobileNetV2 (`0.1`, `1.0`, `1.1`, `2`, `3`) | `blocks.1.0.conv_pw` (`bn1`, `conv_dw`, `bn2`, `conv_pwl`, `bn3`) |
//! | `features.18.0`, `features.18.1` of MobileNetV2 | `conv_head`, `bn2` |
//! | `features.0`, `features.2` of ConvNeXt | `stem`, `stages.1.downsample` |
//! | `features.1.0.block.0` (`2`, `3`, `5`), `layer_scale` | `stages.0.blocks.0.conv_dw` (`norm`, `mlp.fc1`, `mlp.fc2`), `gamma` |
//!
//! The other networks `tf_...` have the same names but pad and normalize as TensorFlow does: their weights fit, but give slightly
//! different outputs. `efficientnet-b0` of segmentation_models_pytorch, which pads likewise, is an encoder of its own here.

/// timm's eps in MobileNetV3's batch norms.
const MOBILENET_EPS: f32 = 1e-5;

/// torchvision's eps, and dapple's.
const OWN_MOBILENET_EPS: f32 = 1e-3;

/// Places of the blocks in timm's stages, for the lines of MobileNetV3's tables: how many each stage has.
const LARGE: [usize; 6] = [1, 2, 3, 4, 2, 3];
const SMALL: [usize; 5] = [1, 2, 3, 2, 3];

/// Likewise for MobileNetV2's blocks.
const V2: [usize; 7] = [1, 2, 3, 4, 3, 3, 1];

/// Whether timm has names of its own for this encoder's layers.
pub(super) fn knows(encoder: &str) -> bool {
    let families = ["efficientnet-b", "efficientnet-lite", "mobilenetv2", "mobilenetv3-", "convnext-"];
    families.iter().any(|family| encoder.starts_with(family))
}

/// Whether segmentation_models_pytorch's encoder `tu-...` computes the maps of this one, but for that of EfficientNet at
/// stride 2.
pub(crate) fn is_universal(encoder: &str) -> bool {
    // Those with the same names here.
    let named_alike =
        ["resnet", "wide-resnet", "resnext", "regnety", "mobilenetv4", "tf-efficientnetv2", "hrnet"];
    named_alike.iter().any(|family| encoder.starts_with(family))
        || (knows(encoder) && !encoder.starts_with("mobilenetv2"))
}

/// timm's name of an encoder's parameter.
pub(super) fn name(encoder: &str, own: &str) -> Option<String> {
    if !knows(encoder) {
        return Some(own.to_owned());
    }
    let (index, layer) = own.strip_prefix("features.").unwrap_or(own).split_once('.')?;
    let index: usize = index.parse().ok()?;
    if encoder.starts_with("convnext") {
        return convnext(index, layer);
    }
    let stages: &[usize] = match encoder {
        "mobilenetv3-large" => &LARGE,
        "mobilenetv3-small" => &SMALL,
        "mobilenetv2" => &V2,
        _ => &[],
    };
    let last = 1 + stages.iter().sum::<usize>();
    // The last layer of MobileNets has a convolution and a norm too.
    let ends = match (index, encoder) {
        (0, _) => Some(["conv_stem".to_owned(), "bn1".to_owned()]),
        (_, "mobilenetv2") if index == last => Some(["conv_head".to_owned(), "bn2".to_owned()]),
        (_, "mobilenetv3-large" | "mobilenetv3-small") if index == last => {
            Some(["conv", "bn1"].map(|layer| format!("blocks.{}.0.{layer}", stages.len())))
        }
        _ => None,
    };
    if let Some(names) = ends {
        let (which, part) = layer.split_once('.')?;
        return Some(format!("{}.{part}", names.get(which.parse::<usize>().ok()?)?));
    }
    let (stage, block, layer) = if stages.is_empty() {
        let (block, layer) = layer.split_once('.')?;
        (index - 1, block.parse().ok()?, layer)
    } else {
        let (stage, block) = place(stages, index - 1)?;
        (stage, block, layer)
    };
    // The blocks of the first stage do not expand.
    let expands = index > 1;
    let there = match layer.strip_prefix("conv.") {
        Some(layer) => linear_bottleneck(layer, expands)?,
        None => inverted(layer.strip_prefix("block.")?, expands)?,
    };
    Some(format!("blocks.{stage}.{block}.{there}"))
}

/// Stage and place in it of a block among all.
fn place(stages: &[usize], mut number: usize) -> Option<(usize, usize)> {
    for (stage, &blocks) in stages.iter().enumerate() {
        if number < blocks {
            return Some((stage, number));
        }
        number -= blocks;
    }
    None
}

/// A layer of MobileNetV2's blocks: `PLACE.LAYER.PART` of convolutions with an activation, `PLACE.PART` of the last one and of
/// its norm.
fn linear_bottleneck(layer: &str, expands: bool) -> Option<String> {
    let names: &[&str] = match expands {
        true => &["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"],
        false => &["conv_dw", "bn1", "conv_pw", "bn2"],
    };
    let (place, rest) = layer.split_once('.')?;
    let place: usize = place.parse().ok()?;
    let active = names.len() / 2 - 1;
    let (number, part) = match rest.split_once('.') {
        Some((layer, part)) => (2 * place + layer.parse::<usize>().ok()?, part),
        None => (active + place, rest),
    };
    Some(format!("{}.{part}", names.get(number)?))
}

/// Offset to add to timm's values. A running variance takes the difference of the eps, so that the sum of both is the
/// same.
pub(super) fn shift(encoder: &str, own: &str) -> f32 {
    match encoder.starts_with("mobilenetv3") && own.ends_with(".running_var") {
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
pub(super) fn in_feature_list(encoder: &str, name: &str) -> String {
    let separate =
        encoder.starts_with("convnext") && (name.starts_with("stem.") || name.starts_with("stages."));
    if separate { name.replacen('.', "_", 1) } else { name.to_owned() }
}
