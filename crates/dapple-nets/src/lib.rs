//! Segmentation networks as dapple graphs, with the names of published checkpoints.
//!
//! [`NetConfig`] is the configuration of a network and builds its graph. The [`registry`] knows all networks by name, and
//! [`checkpoint`] reads and writes weights. A network is one file, readable beside its paper: in `models/` if it is built as
//! a whole, otherwise an encoder (`encoders/`) with a decoder (`decoders/`), and every decoder is offered on every encoder
//! that fits.
//!
//! ```
//! use dapple_graph::{Network, Shape, summary};
//! use dapple_nets::NetConfig;
//! let config = NetConfig::new("unet", 3, 2)?;
//! let graph = config.build(Shape::new(1, 224, 224, 3))?;
//! assert_eq!(summary::parameters(&graph), 31_037_698);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
pub mod checkpoint;
mod config;
mod decoders;
mod encoders;
mod imported;
mod models;
mod monte_carlo;
pub mod registry;

pub use config::{Activation, ConfigError, DecoderAttention, Dilation, NetConfig};
pub use encoders::{ENCODERS, Encoder, FeatureMaps, encoder_named};
pub use imported::ImportedNetwork;
pub use models::{
    AttentionUNet, BiSeNetV2, DdrNet, DeconvNet, FastScnn, FcnVgg, Head, NnUNet, PidNet, PidNetSize,
    PpLiteSeg, PpLiteSegSize, ResUNet, SegNet, SegNetBasic, SegNext, SegNextSize, U2Net, U2NetSize, UNet,
    UNet3Plus, UpSampling,
};
pub use monte_carlo::{Sampled, monte_carlo};
