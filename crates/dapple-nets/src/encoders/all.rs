//! The list of encoders.

use super::encoder::Encoder;
use super::{convnext, efficientnet, efficientnet_lite, mit, mobilenet, resnet, vgg};

/// All encoders.
pub static ENCODERS: [Encoder; 27] = [
    vgg::VGG11,
    vgg::VGG11_BN,
    vgg::VGG13,
    vgg::VGG13_BN,
    vgg::VGG16,
    vgg::VGG16_BN,
    vgg::VGG19,
    vgg::VGG19_BN,
    resnet::RESNET18,
    resnet::RESNET34,
    resnet::RESNET50,
    resnet::RESNET101,
    mobilenet::LARGE,
    efficientnet::B0,
    efficientnet::B1,
    efficientnet::B2,
    efficientnet::B3,
    efficientnet_lite::LITE0,
    efficientnet_lite::LITE1,
    efficientnet_lite::LITE2,
    efficientnet_lite::LITE3,
    efficientnet_lite::LITE4,
    convnext::TINY,
    convnext::SMALL,
    mit::B0,
    mit::B1,
    mit::B2,
];

/// The encoder of that name.
pub fn encoder_named(name: &str) -> Option<&'static Encoder> {
    ENCODERS.iter().find(|encoder| encoder.name == name)
}
