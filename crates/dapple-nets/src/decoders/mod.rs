//! Decoders on any encoder that fits, one file each: a function from the encoder's feature maps to logits.
//!
//! Parameters carry the names of segmentation_models_pytorch (`encoder.`, `decoder.`, `segmentation_head.`), except those of
//! torchvision's networks, which have torchvision's (`backbone.`, `classifier.`, `aux_classifier.`).

mod attention;
mod decoder;
mod deeplabv3;
mod deeplabv3_smp;
mod deeplabv3plus;
mod fcn;
mod fpn;
mod linknet;
mod lraspp;
mod manet;
mod pan;
mod pspnet;
mod segformer;
mod unet;
mod unetplusplus;
mod upernet;

pub(crate) use decoder::{BILINEAR, Decoder, DecoderSettings, EncoderDecoder, SMALLEST};
pub(crate) use deeplabv3::{DEEPLABV3, DEEPLABV3_MOBILENET};
pub(crate) use deeplabv3_smp::DEEPLABV3_SMP;
pub(crate) use deeplabv3plus::DEEPLABV3PLUS;
pub(crate) use fcn::FCN;
pub(crate) use fpn::FPN;
pub(crate) use linknet::LINKNET;
pub(crate) use lraspp::LRASPP;
pub(crate) use manet::MANET;
pub(crate) use pan::PAN;
pub(crate) use pspnet::PSPNET;
pub(crate) use segformer::{SEGFORMER, all_mlp};
pub(crate) use unet::UNET;
pub(crate) use unetplusplus::UNETPLUSPLUS;
pub(crate) use upernet::UPERNET;
