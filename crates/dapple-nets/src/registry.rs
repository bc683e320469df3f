//! The networks by name.

use crate::nearest::nearest;
use crate::{Activation, ConfigError, Head, NetConfig, SegNet, U2Net, U2NetSize, UNet, UpSampling};
use dapple_graph::Network;

/// A network that can be asked for by name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What configurations and command lines say.
    pub name: &'static str,
    /// What reports say.
    pub title: &'static str,
    /// Paper and variant.
    pub source: &'static str,
    /// Smallest height and width of an input.
    pub smallest: usize,
    /// Base channels of the published network.
    pub width: usize,
    /// The width must be a multiple of this, 1 or 4.
    pub width_step: usize,
    /// What turns the logits into probabilities unless the configuration says otherwise.
    pub activation: Activation,
    /// Whether [`NetConfig::head`] applies.
    pub has_head: bool,
    /// The network of a configuration.
    pub make: fn(&NetConfig) -> Box<dyn Network>,
}

const RONNEBERGER: &str = "Ronneberger et al., MICCAI 2015, arXiv:1505.04597";
const QIN: &str = "Qin et al., Pattern Recognition 2020, arXiv:2005.09007";

/// All networks.
pub const NETWORKS: [Entry; 5] = [
    Entry {
        name: "unet",
        title: "U-Net",
        source: RONNEBERGER,
        smallest: UNet::SMALLEST,
        width: 64,
        width_step: 1,
        activation: Activation::Softmax,
        has_head: false,
        make: |c| Box::new(UNet { width: c.width, logits: c.logits(), up: UpSampling::Transposed }),
    },
    Entry {
        name: "unet-bilinear",
        title: "U-Net, bilinear upsampling",
        source: RONNEBERGER,
        smallest: UNet::SMALLEST,
        width: 64,
        width_step: 1,
        activation: Activation::Softmax,
        has_head: false,
        make: |c| Box::new(UNet { width: c.width, logits: c.logits(), up: UpSampling::Bilinear }),
    },
    Entry {
        name: "u2net",
        title: "U²-Net",
        source: QIN,
        smallest: 1,
        width: 64,
        width_step: 4,
        activation: Activation::Sigmoid,
        has_head: false,
        make: |c| Box::new(U2Net { size: U2NetSize::Full, width: c.width, logits: c.logits() }),
    },
    Entry {
        name: "u2net-lite",
        title: "U²-Net lite",
        source: QIN,
        smallest: 1,
        width: 64,
        width_step: 4,
        activation: Activation::Sigmoid,
        has_head: false,
        make: |c| Box::new(U2Net { size: U2NetSize::Lite, width: c.width, logits: c.logits() }),
    },
    Entry {
        name: "segnet",
        title: "SegNet",
        source: "Badrinarayanan et al., PAMI 2017, arXiv:1511.00561",
        smallest: SegNet::SMALLEST,
        width: 64,
        width_step: 1,
        activation: Activation::Softmax,
        has_head: true,
        make: |c| {
            let head = c.head.unwrap_or(Head::Conv3x3);
            Box::new(SegNet { width: c.width, logits: c.logits(), head })
        },
    },
];

/// The network of that name.
///
/// # Errors
/// If there is none; the message proposes the nearest name and lists all.
pub fn find(name: &str) -> Result<&'static Entry, ConfigError> {
    NETWORKS.iter().find(|entry| entry.name == name).ok_or_else(|| ConfigError::UnknownNetwork {
        name: name.to_owned(),
        nearest: nearest(name, NETWORKS.iter().map(|entry| entry.name)),
    })
}
