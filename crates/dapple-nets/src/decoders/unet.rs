//! U-Net on an encoder. Ronneberger, Fischer and Brox, MICCAI 2015, <https://arxiv.org/abs/1505.04597>, as
//! segmentation_models_pytorch builds it: nearest upsampling, batch norm, five steps up to the image's size; with its
//! attention where that is set.

use super::attention::attention;
use super::decoder::{Decoder, DecoderSettings, SMALLEST, glorot_head};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, MaxPool, NodeId};

pub(crate) const UNET: Decoder = Decoder {
    name: "unet",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |_| true,
    scales: true,
    attends: true,
    smallest: SMALLEST,
    build,
};

/// Channels of the steps up, at the encoder's published width.
pub(super) const CHANNELS: [usize; 5] = [256, 128, 64, 32, 16];

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let mut x = center(g, features.deepest(), settings)?;
    let [half, a, b, c, _] = features.all();
    for (index, (skip, channels)) in [c, b, a, half, None].into_iter().zip(CHANNELS).enumerate() {
        let name = format!("decoder.blocks.{index}");
        x = match skip {
            Some(skip) => {
                let up = g.resize(x, skip, Interpolation::Nearest)?;
                g.concat(&[up, skip])?
            }
            None => enlarged(g, x, index)?,
        };
        x = attended(g, &format!("{name}.attention1"), x, settings, index)?;
        let conv = Conv2d::new(settings.scaled(channels), 3).padding(1);
        x = unit(g, &format!("{name}.conv1"), x, &conv)?;
        x = unit(g, &format!("{name}.conv2"), x, &conv)?;
        x = attention(g, &format!("{name}.attention2"), x, settings)?;
    }
    glorot_head(g, x, settings.logits, 3)
}

/// `x` at the size of step `index`, which has no map to join: the image's own size and, with a transformer, half of it.
pub(super) fn enlarged(g: &mut Graph, x: NodeId, index: usize) -> Result<NodeId, GraphError> {
    let image = g.input();
    if index == CHANNELS.len() - 1 {
        return g.resize(x, image, Interpolation::Nearest);
    }
    // Rounded down, the size of the absent map.
    let half = g.max_pool(image, &MaxPool::new(2, 2))?;
    g.resize(x, half, Interpolation::Nearest)
}

/// The attention of step `index` before its convolutions. The published code has its layers in the last step too, but does
/// not use them there: they are parameters of checkpoints only.
pub(super) fn attended(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    settings: &DecoderSettings,
    index: usize,
) -> Result<NodeId, GraphError> {
    let y = attention(g, name, x, settings)?;
    Ok(if index == CHANNELS.len() - 1 { x } else { y })
}

/// After VGG, which ends in a pooling, two more convolutions; nothing after the others.
pub(super) fn center(g: &mut Graph, x: NodeId, settings: &DecoderSettings) -> Result<NodeId, GraphError> {
    if !settings.encoder.name.starts_with("vgg") {
        return Ok(x);
    }
    let conv = Conv2d::new(g.shape(x).c, 3).padding(1);
    let x = unit(g, "decoder.center.0", x, &conv)?;
    unit(g, "decoder.center.1", x, &conv)
}
