//! Networks that are built as a whole, one file each.

mod attention_unet;
mod bisenetv2;
mod ddrnet;
mod deconvnet;
mod dual_resolution;
mod fast_scnn;
mod fcn_vgg;
mod nnunet;
mod pidnet;
mod pp_liteseg;
mod resunet;
mod segformer;
mod segnet;
mod segnet_basic;
mod segnext;
mod u2net;
mod unet;
mod unet3plus;

pub use attention_unet::AttentionUNet;
pub use bisenetv2::BiSeNetV2;
pub use ddrnet::DdrNet;
pub use deconvnet::DeconvNet;
pub use fast_scnn::FastScnn;
pub use fcn_vgg::FcnVgg;
pub use nnunet::NnUNet;
pub use pidnet::{PidNet, PidNetSize};
pub use pp_liteseg::{PpLiteSeg, PpLiteSegSize};
pub use resunet::ResUNet;
pub(crate) use segformer::PaperSegFormer;
pub use segnet::{Head, SegNet};
pub use segnet_basic::SegNetBasic;
pub use segnext::{SegNext, SegNextSize};
pub use u2net::{U2Net, U2NetSize};
pub use unet::{UNet, UpSampling};
pub use unet3plus::UNet3Plus;
