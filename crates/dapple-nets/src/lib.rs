//! Segmentation networks as dapple graphs, with the names of published checkpoints.
//!
//! Each network is one file: a struct with its settings whose [`dapple_graph::Network::build`] reads like
//! the paper's figure. The [`registry`] knows them by name, [`NetConfig`] is what files and command lines
//! say about one, and [`checkpoint`] reads and writes weights.
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
mod ddrnet;
mod decoders;
mod deconvnet;
mod encoders;
mod fast_scnn;
mod fcn_vgg;
mod monte_carlo;
pub mod registry;
mod segnet;
mod segnet_basic;
mod u2net;
mod unet;

pub use config::{Activation, ConfigError, NetConfig};
pub use ddrnet::DdrNet;
pub use deconvnet::DeconvNet;
pub use encoders::{ENCODERS, Encoder};
pub use fast_scnn::FastScnn;
pub use fcn_vgg::FcnVgg;
pub use monte_carlo::{Sampled, monte_carlo};
pub use segnet::{Head, SegNet};
pub use segnet_basic::SegNetBasic;
pub use u2net::{U2Net, U2NetSize};
pub use unet::{UNet, UpSampling};
