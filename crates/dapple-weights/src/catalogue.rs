//! The files known by name.

use crate::Checksum;

/// A published file of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// Name on command lines.
    pub name: &'static str,
    /// Purpose.
    pub purpose: Purpose,
    /// File name, in the cache and at the publisher.
    pub file: &'static str,
    /// Address.
    pub url: &'static str,
    /// The publisher's checksum.
    pub checksum: Checksum,
    /// Rounded size in units of 1 000 000 bytes, for display.
    pub megabytes: u32,
}

/// Purpose of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A classifier trained on ImageNet-1k, for a network's encoder.
    ImageNet,
    /// A segmentation network trained on the part of COCO that has Pascal VOC's 21 classes.
    CocoVoc,
    /// A network for salient objects trained on DUTS.
    Saliency,
}

impl Purpose {
    /// Title for tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::ImageNet => "ImageNet encoder",
            Self::CocoVoc => "segmentation, COCO with VOC's classes",
            Self::Saliency => "salient objects, DUTS",
        }
    }
}

/// A file of torchvision, whose name ends in the first digits of its SHA-256.
macro_rules! torchvision {
    ($purpose:ident, $name:literal, $stem:literal, $sum:literal, $megabytes:literal) => {
        CatalogueEntry {
            name: $name,
            purpose: Purpose::$purpose,
            file: concat!($stem, "-", $sum, ".pth"),
            url: concat!("https://download.pytorch.org/models/", $stem, "-", $sum, ".pth"),
            checksum: Checksum::Sha256Prefix($sum),
            megabytes: $megabytes,
        }
    };
}

/// A file of U²-Net's authors, who use Google Drive and publish no checksum; `confirm` skips the warning about large files.
macro_rules! u2net {
    ($name:literal, $id:literal, $megabytes:literal) => {
        CatalogueEntry {
            name: $name,
            purpose: Purpose::Saliency,
            file: concat!($name, ".pth"),
            url: concat!(
                "https://drive.usercontent.google.com/download?id=",
                $id,
                "&export=download&confirm=t"
            ),
            checksum: Checksum::Unpublished,
            megabytes: $megabytes,
        }
    };
}

/// All files, by purpose. The addresses are those of torchvision 0.29 (`torchvision.models.get_model_weights`) and of
/// U²-Net's repository (<https://github.com/xuebinqin/U-2-Net>). `NAME-v2` are weights of
/// torchvision's second training recipe; its segmentation networks start from those of the first.
pub const CATALOGUE: &[CatalogueEntry] = &[
    torchvision!(ImageNet, "vgg11", "vgg11", "8a719046", 531),
    torchvision!(ImageNet, "vgg13", "vgg13", "19584684", 532),
    torchvision!(ImageNet, "vgg16", "vgg16", "397923af", 553),
    torchvision!(ImageNet, "vgg19", "vgg19", "dcbb9e9d", 575),
    torchvision!(ImageNet, "vgg11_bn", "vgg11_bn", "6002323d", 532),
    torchvision!(ImageNet, "vgg13_bn", "vgg13_bn", "abd245e5", 532),
    torchvision!(ImageNet, "vgg16_bn", "vgg16_bn", "6c64b313", 554),
    torchvision!(ImageNet, "vgg19_bn", "vgg19_bn", "c79401a0", 575),
    torchvision!(ImageNet, "resnet18", "resnet18", "f37072fd", 47),
    torchvision!(ImageNet, "resnet34", "resnet34", "b627a593", 87),
    torchvision!(ImageNet, "resnet50", "resnet50", "0676ba61", 103),
    torchvision!(ImageNet, "resnet50-v2", "resnet50", "11ad3fa6", 103),
    torchvision!(ImageNet, "resnet101", "resnet101", "63fe2227", 179),
    torchvision!(ImageNet, "resnet101-v2", "resnet101", "cd907fc2", 179),
    torchvision!(ImageNet, "mobilenet_v3_large", "mobilenet_v3_large", "8738ca79", 22),
    torchvision!(ImageNet, "mobilenet_v3_large-v2", "mobilenet_v3_large", "5c1a4163", 22),
    torchvision!(ImageNet, "efficientnet_b0", "efficientnet_b0_rwightman", "7f5810bc", 21),
    torchvision!(ImageNet, "efficientnet_b1", "efficientnet_b1_rwightman", "bac287d4", 32),
    torchvision!(ImageNet, "efficientnet_b1-v2", "efficientnet_b1", "c27df63c", 32),
    torchvision!(ImageNet, "efficientnet_b2", "efficientnet_b2_rwightman", "c35c1473", 37),
    torchvision!(ImageNet, "efficientnet_b3", "efficientnet_b3_rwightman", "b3899882", 49),
    torchvision!(ImageNet, "convnext_tiny", "convnext_tiny", "983f1562", 114),
    torchvision!(ImageNet, "convnext_small", "convnext_small", "0c510722", 201),
    torchvision!(CocoVoc, "fcn_resnet50", "fcn_resnet50_coco", "1167a1af", 142),
    torchvision!(CocoVoc, "fcn_resnet101", "fcn_resnet101_coco", "7ecb50ca", 218),
    torchvision!(CocoVoc, "deeplabv3_resnet50", "deeplabv3_resnet50_coco", "cd0a2569", 168),
    torchvision!(CocoVoc, "deeplabv3_resnet101", "deeplabv3_resnet101_coco", "586e9e4e", 245),
    torchvision!(CocoVoc, "deeplabv3_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fc3c493d", 44),
    torchvision!(CocoVoc, "lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "d234d4ea", 13),
    u2net!("u2net", "1ao1ovG1Qtx4b7EoskHXmi2E9rp5CHLcZ", 176),
    u2net!("u2netp", "1rbSTGKAE-MTxBYHd-51l2hMOQPT_7EPy", 5),
];

/// The entry of that name.
pub fn find(name: &str) -> Option<&'static CatalogueEntry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn entries_are_distinct_and_use_https() {
        let distinct = |key: fn(&CatalogueEntry) -> &'static str| {
            CATALOGUE.iter().map(key).collect::<HashSet<_>>().len()
        };
        assert_eq!(distinct(|e| e.name), CATALOGUE.len());
        assert_eq!(distinct(|e| e.file), CATALOGUE.len());
        for entry in CATALOGUE {
            assert!(entry.url.starts_with("https://"), "{}", entry.name);
            assert!(!entry.file.contains(['/', '\\']), "{}", entry.name);
            if let Checksum::Sha256Prefix(digits) | Checksum::Sha256(digits) = entry.checksum {
                let hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                assert!(hex && [8, 64].contains(&digits.len()), "{}", entry.name);
            }
        }
    }
}
