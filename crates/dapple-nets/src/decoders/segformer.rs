//! SegFormer. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers", NeurIPS
//! 2021, section 3.2 and equation 4, <https://arxiv.org/abs/2105.15203>.
//!
//! The decoder as segmentation_models_pytorch builds it, on any encoder: a map at stride 2 is one of its inputs. The networks of
//! the paper are in `models/segformer.rs`.

use super::decoder::{BILINEAR, Decoder, DecoderSettings, SMALLEST, glorot_head};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId};

pub(crate) const SEGFORMER: Decoder = Decoder {
    name: "segformer",
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
    let channels = settings.scaled(256);
    g.use_conv_init(ConvInit::Glorot);
    let last = features.all().into_iter().flatten().count() - 1;
    let name = |stage: usize| format!("decoder.mlp_stage.{}.linear", last - stage);
    let x = all_mlp(g, features, channels, &name)?;
    g.use_conv_init(ConvInit::HeUniform);
    let x = unit(g, "decoder.fuse_stage", x, &Conv2d::new(channels, 1))?;
    glorot_head(g, x, settings.logits, 1)
}

/// A linear layer on each feature map, all resized to the size of the one at stride 4 and concatenated, the coarsest first.
pub(crate) fn all_mlp(
    g: &mut Graph,
    features: &Features,
    channels: usize,
    name: &dyn Fn(usize) -> String,
) -> Result<NodeId, GraphError> {
    let quarter = features.maps[0];
    let maps: Vec<NodeId> = features.all().into_iter().flatten().collect();
    let mut parts = Vec::new();
    for (stage, &map) in maps.iter().enumerate().rev() {
        let x = g.conv2d(&name(stage), map, &Conv2d::new(channels, 1))?;
        parts.push(if map == quarter { x } else { g.resize(x, quarter, BILINEAR)? });
    }
    g.concat(&parts)
}
