//! The encoders of segmentation_models_pytorch by their names there.

use crate::checkpoint::naming::is_universal;
use crate::encoders::{Encoder, encoder_named};

/// Names of the encoders that are read, for messages.
pub const KNOWN: &str = "resnet18 to 152, resnext50_32x4d and resnext101_32x8d, se_resnet50 to 152, se_resnext50_32x4d and \
     se_resnext101_32x4d, vgg11 to 19 with and without _bn, densenet121 to 201, mobilenet_v2, efficientnet-b0 to b7, \
     timm-efficientnet-b0 to b7, mit_b0 to b5, and tu- before resnet18 to 152, wide_resnet50_2 and 101_2, resnext50_32x4d and \
     101_32x8d, efficientnet_b0 to b7, tf_efficientnet_lite0 to lite4, tf_efficientnetv2_b0 to b3, s and m, \
     mobilenetv3_large_100 and small_100, mobilenetv4_conv_small and medium, regnety_002 to 032, hrnet_w18 and w32, and \
     convnext_tiny to large";

/// The encoder here that computes what the one of this name there does.
pub fn encoder_of(there: &str) -> Option<&'static Encoder> {
    if let Some(timm) = there.strip_prefix("tu-") {
        let name = timm.replace('_', "-").replace("-100", "");
        // Of the three encoders with the weights of EfficientNet-Lite, `tu-tf_...` pads as they want it.
        let name = match name.strip_prefix("tf-") {
            Some(lite) if lite.starts_with("efficientnet-lite") => lite,
            None if name.starts_with("efficientnet-lite") => return None,
            _ => name.as_str(),
        };
        return encoder_named(name).filter(|encoder| is_universal(encoder.name));
    }
    if let Some(timm) = there.strip_prefix("timm-") {
        let name = timm.replace('_', "-").replace("-100", "");
        let is_kept = name.starts_with("efficientnet-b") || name.starts_with("mobilenetv3-");
        return encoder_named(&name).filter(|_| is_kept);
    }
    let name = match there {
        "mobilenet_v2" => "mobilenetv2".to_owned(),
        _ => there.replace("efficientnet-", "efficientnet-smp-").replace('_', "-"),
    };
    let families =
        ["resnet", "resnext", "se-res", "vgg", "densenet", "mobilenetv2", "efficientnet-smp-", "mit-"];
    let is_own = families.iter().any(|family| name.starts_with(family)) && !there.contains("smp");
    encoder_named(&name).filter(|_| is_own)
}
