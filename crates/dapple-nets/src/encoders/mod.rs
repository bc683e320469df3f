//! Encoders: classification networks without their heads, with feature maps at strides of 2, 4, 8, 16 and 32.
//!
//! One file a family. Parameters have the names of the family's published checkpoints after the prefix of the decoder
//! (`encoder.` or `backbone.`), so that ImageNet weights fit without renaming.

mod all;
mod convnext;
mod densenet;
mod efficientnet;
mod efficientnet_lite;
mod efficientnet_smp;
mod efficientnetv2;
mod encoder;
mod feature_maps;
mod hrnet;
pub(crate) mod mit;
mod mobilenet;
mod mobilenetv2;
mod mobilenetv4;
mod regnet;
mod resnet;
mod se_resnet;
pub(crate) mod vgg;

pub use all::{ENCODERS, encoder_named};
pub use encoder::Encoder;
pub(crate) use encoder::{Features, Form, Stride};
pub use feature_maps::FeatureMaps;
