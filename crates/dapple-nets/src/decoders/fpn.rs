//! Feature pyramid network for segmentation. Kirillov, Girshick, He and Dollár, "Panoptic Feature Pyramid Networks",
//! CVPR 2019, section 3.1 and figure 3, <https://arxiv.org/abs/1901.02446>, as segmentation_models_pytorch builds it.

use super::decoder::{ALIGNED, Decoder, DecoderSettings, SMALLEST, glorot_head};
use crate::blocks::common_divisor;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, NodeId};

pub(crate) const FPN: Decoder = Decoder {
    name: "fpn",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |_| true,
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

/// Groups of the group norm (Wu and He 2018).
const GROUPS: usize = 32;

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let channels = settings.scaled(256);
    // The pyramid, from the coarsest map down.
    let [c2, c3, c4, c5] = features.maps;
    let mut pyramid = vec![g.conv2d("decoder.p5", c5, &Conv2d::new(channels, 1))?];
    for (name, skip) in [("p4", c4), ("p3", c3), ("p2", c2)] {
        let up = g.resize(pyramid[pyramid.len() - 1], skip, Interpolation::Nearest)?;
        let lateral = g.conv2d(&format!("decoder.{name}.skip_conv"), skip, &Conv2d::new(channels, 1))?;
        pyramid.push(g.add(up, lateral)?);
    }
    // Each level up to the finest one's size, a convolution before every doubling.
    let mut sum = None;
    for (index, &level) in pyramid.iter().enumerate() {
        let mut x = level;
        let finer = &pyramid[index + 1..];
        for step in 0..finer.len().max(1) {
            let name = format!("decoder.seg_blocks.{index}.block.{step}.block");
            x = conv_norm_relu(g, &name, x, settings.scaled(128))?;
            if let Some(&like) = finer.get(step) {
                x = g.resize(x, like, ALIGNED)?;
            }
        }
        sum = Some(match sum {
            Some(sum) => g.add(sum, x)?,
            None => x,
        });
    }
    let x = sum.unwrap_or(c2);
    let x = settings.dropout(g, x, 0.2)?;
    glorot_head(g, x, settings.logits, 1)
}

fn conv_norm_relu(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let x = g.conv2d(&format!("{name}.0"), x, &Conv2d::new(out, 3).padding(1).bias(false))?;
    let x = g.group_norm(&format!("{name}.1"), x, common_divisor(GROUPS, out))?;
    g.relu(x)
}
