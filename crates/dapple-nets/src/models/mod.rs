//! Networks that are built as a whole, one file each.

mod ddrnet;
mod deconvnet;
mod dual_resolution;
mod fast_scnn;
mod fcn_vgg;
mod hugging_face;
mod pidnet;
mod segformer;
mod segnet;
mod segnet_basic;
mod u2net;
mod unet;

pub use ddrnet::DdrNet;
pub use deconvnet::DeconvNet;
pub use fast_scnn::FastScnn;
pub use fcn_vgg::FcnVgg;
pub(crate) use hugging_face::{HubSegFormer, HubUperNet, PREPARATION};
pub use pidnet::{PidNet, PidNetSize};
pub(crate) use segformer::PaperSegFormer;
pub use segnet::{Head, SegNet};
pub use segnet_basic::SegNetBasic;
pub use u2net::{U2Net, U2NetSize};
pub use unet::{UNet, UpSampling};
