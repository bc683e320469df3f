//! U-Net on an encoder. Ronneberger, Fischer and Brox, MICCAI 2015, <https://arxiv.org/abs/1505.04597>, as
//! segmentation_models_pytorch builds it: nearest upsampling, batch norm, five steps up to the image's size.

use super::decoder::{Decoder, DecoderSettings, glorot_head};
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
    build,
};

/// Channels of the steps up, at the encoder's published width.
pub(super) const CHANNELS: [usize; 5] = [256, 128, 64, 32, 16];

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let mut x = center(g, features.deepest(), settings)?;
    let image = g.input();
    let [half, a, b, c, _] = features.all();
    // The image's own size and, with a transformer, half of it have no map to join.
    for (index, (skip, channels)) in [c, b, a, half, None].into_iter().zip(CHANNELS).enumerate() {
        let name = format!("decoder.blocks.{index}");
        x = match skip {
            Some(skip) => {
                let up = g.resize(x, skip, Interpolation::Nearest)?;
                g.concat(&[up, skip])?
            }
            None if index == CHANNELS.len() - 1 => g.resize(x, image, Interpolation::Nearest)?,
            None => {
                // Half the image's size, rounded down, the size of the absent map.
                let pool = g.max_pool(image, &MaxPool::new(2, 2))?;
                g.resize(x, pool, Interpolation::Nearest)?
            }
        };
        let conv = Conv2d::new(settings.scaled(channels), 3).padding(1);
        x = unit(g, &format!("{name}.conv1"), x, &conv)?;
        x = unit(g, &format!("{name}.conv2"), x, &conv)?;
    }
    glorot_head(g, x, settings.logits, 3)
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
