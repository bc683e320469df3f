//! UPerNet on an encoder. Xiao, Liu, Zhou, Jiang and Sun, "Unified Perceptual Parsing for Scene Understanding", ECCV 2018,
//! section 3.1 and figure 4, <https://arxiv.org/abs/1807.10221>, as segmentation_models_pytorch builds it: layer norms on
//! the encoder's maps, a pyramid pooling module on the coarsest and a feature pyramid below it.

use super::decoder::{BILINEAR, Decoder, DecoderSettings, SMALLEST, glorot_head};
use super::pspnet::SIZES;
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId};

pub(crate) const UPERNET: Decoder = Decoder {
    name: "upernet",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |_| true,
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let channels = settings.scaled(256);
    let mut maps = features.maps;
    for (index, map) in maps.iter_mut().enumerate() {
        *map = g.layer_norm(&format!("decoder.feature_norms.{index}"), *map, 1e-6)?;
    }
    let conv3 = Conv2d::new(channels, 3).padding(1);
    let mut pyramid = vec![pyramid_pooling(g, maps[3], &conv3)?];
    for (index, &map) in maps[..3].iter().rev().enumerate() {
        let name = format!("decoder.fpn_lateral_blocks.{index}.conv_norm_relu");
        let lateral = unit(g, &name, map, &Conv2d::new(channels, 1))?;
        let up = g.resize(pyramid[index], lateral, BILINEAR)?;
        pyramid.push(g.add(up, lateral)?);
    }
    let finest = pyramid[3];
    let mut parts = Vec::new();
    for (index, &level) in pyramid.iter().enumerate() {
        let x = match index.checked_sub(1) {
            Some(block) => unit(g, &format!("decoder.fpn_conv_blocks.{block}"), level, &conv3)?,
            None => level,
        };
        parts.push(if index == 3 { x } else { g.resize(x, finest, BILINEAR)? });
    }
    parts.reverse();
    let x = g.concat(&parts)?;
    let x = unit(g, "decoder.fusion_block", x, &conv3)?;
    glorot_head(g, x, settings.logits, 1)
}

/// The feature map concatenated with its means over 1, 4, 9 and 36 windows, through a 3 x 3 convolution.
fn pyramid_pooling(g: &mut Graph, x: NodeId, conv3: &Conv2d) -> Result<NodeId, GraphError> {
    let mut parts = vec![x];
    for (index, size) in SIZES.into_iter().enumerate() {
        let y = g.adaptive_avg_pool(x, [size, size])?;
        let y = unit(g, &format!("decoder.psp.blocks.{index}.1"), y, &Conv2d::new(conv3.out_channels, 1))?;
        parts.push(g.resize(y, x, BILINEAR)?);
    }
    let x = g.concat(&parts)?;
    unit(g, "decoder.psp.out_conv", x, conv3)
}
