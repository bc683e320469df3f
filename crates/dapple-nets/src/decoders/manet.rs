//! MA-Net on an encoder. Fan, Wang, Li and Wang, "MA-Net: A Multi-Scale Attention Network for Liver and Tumor Segmentation",
//! IEEE Access 2020, figures 2 to 4, <https://ieeexplore.ieee.org/document/9201310>, as segmentation_models_pytorch builds
//! it, but for the block between encoder and decoder.
//!
//! That block relates all pixels of the deepest map. Here it is a non-local block (Wang et al., CVPR 2018, equation 5 and
//! figure 2) of 64 channels. segmentation_models_pytorch takes its softmax over all pairs of pixels at once and reads the
//! product of `[pixels, channels]` as `[channels, pixels]`; its weights have other names and do not fit.

use super::decoder::{Decoder, DecoderSettings, SMALLEST, glorot_head};
use super::unet::{CHANNELS, enlarged};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, NodeId, Pointwise};

pub(crate) const MANET: Decoder = Decoder {
    name: "manet",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |_| true,
    scales: false,
    attends: false,
    smallest: SMALLEST,
    build,
};

/// Channels between the two layers of a gate, as a share of the joined map's.
const REDUCTION: usize = 16;

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let mut x = relate_pixels(g, "decoder.center", features.deepest(), settings.scaled(64))?;
    let [half, a, b, c, _] = features.all();
    for (index, (skip, channels)) in [c, b, a, half, None].into_iter().zip(CHANNELS).enumerate() {
        let name = format!("decoder.blocks.{index}");
        x = match skip {
            Some(skip) => fuse(g, &name, x, skip)?,
            None => enlarged(g, x, index)?,
        };
        let conv = Conv2d::new(settings.scaled(channels), 3).padding(1);
        x = unit(g, &format!("{name}.conv1"), x, &conv)?;
        x = unit(g, &format!("{name}.conv2"), x, &conv)?;
    }
    glorot_head(g, x, settings.logits, 3)
}

/// The map plus what each of its pixels takes from all others, through a 3 x 3 convolution.
fn relate_pixels(g: &mut Graph, name: &str, x: NodeId, inner: usize) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let narrow = Conv2d::new(inner, 1);
    let query = g.conv2d(&format!("{name}.query"), x, &narrow)?;
    let key = g.conv2d(&format!("{name}.key"), x, &narrow)?;
    let value = g.conv2d(&format!("{name}.value"), x, &narrow)?;
    let y = g.attention(query, key, value, 1)?;
    let y = g.conv2d(&format!("{name}.project"), y, &Conv2d::new(channels, 1))?;
    let x = g.add(x, y)?;
    g.conv2d(&format!("{name}.out_conv"), x, &Conv2d::new(channels, 3).padding(1))
}

/// Figure 4 without its last convolutions: the coarse map with the channels of `skip`, enlarged and weighted by gates of both,
/// concatenated with `skip`.
fn fuse(g: &mut Graph, name: &str, x: NodeId, skip: NodeId) -> Result<NodeId, GraphError> {
    let (own, channels) = (g.shape(x).c, g.shape(skip).c);
    let x = unit(g, &format!("{name}.hl_conv.0"), x, &Conv2d::new(own, 3).padding(1))?;
    let x = unit(g, &format!("{name}.hl_conv.1"), x, &Conv2d::new(channels, 1))?;
    let x = g.resize(x, skip, Interpolation::Nearest)?;
    let coarse = gate(g, &format!("{name}.SE_hl"), x)?;
    let fine = gate(g, &format!("{name}.SE_ll"), skip)?;
    let both = g.add(coarse, fine)?;
    let x = g.mul(x, both)?;
    g.concat(&[x, skip])
}

/// The gate of squeeze-and-excitation.
fn gate(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let y = g.adaptive_avg_pool(x, [1, 1])?;
    let y = g.conv2d(&format!("{name}.1"), y, &Conv2d::new((channels / REDUCTION).max(1), 1))?;
    let y = g.relu(y)?;
    let y = g.conv2d(&format!("{name}.3"), y, &Conv2d::new(channels, 1))?;
    g.activate(y, Pointwise::Sigmoid)
}
