//! LinkNet on an encoder. Chaurasia and Culurciello, "LinkNet: Exploiting Encoder Representations for Efficient Semantic
//! Segmentation", VCIP 2017, figures 1 and 2, <https://arxiv.org/abs/1707.03718>, as segmentation_models_pytorch builds
//! it: a fifth block up to the image's size and a 1 x 1 head.

use super::decoder::{Decoder, DecoderSettings, SMALLEST, glorot_head};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, ConvTranspose2d, Graph, GraphError, NodeId};

pub(crate) const LINKNET: Decoder = Decoder {
    name: "linknet",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |encoder| encoder.halves,
    scales: false,
    attends: false,
    smallest: SMALLEST,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    let maps: Vec<NodeId> = features.all().into_iter().rev().flatten().collect();
    let mut x = maps[0];
    for (index, &skip) in maps[1..].iter().enumerate() {
        let out = g.shape(skip).c;
        let y = block(g, index, x, out, skip)?;
        x = g.add(y, skip)?;
    }
    let image = g.input();
    let x = block(g, maps.len() - 1, x, settings.scaled(32), image)?;
    glorot_head(g, x, settings.logits, 1)
}

/// 1 x 1 convolution to a quarter of the channels, transposed convolution to twice the size (cut to that of `like`),
/// 1 x 1 convolution to `out` channels.
fn block(g: &mut Graph, index: usize, x: NodeId, out: usize, like: NodeId) -> Result<NodeId, GraphError> {
    let name = |part: usize| format!("decoder.blocks.{index}.block.{part}");
    let quarter = (g.shape(x).c / 4).max(1);
    g.use_conv_init(ConvInit::HeUniform);
    let x = unit(g, &name(0), x, &Conv2d::new(quarter, 1))?;
    g.use_conv_init(ConvInit::Torch);
    let up = ConvTranspose2d::new(quarter, 4, 2).padding(1);
    let x = g.conv_transpose2d(&format!("{}.0", name(1)), x, &up)?;
    let x = g.batch_norm(&format!("{}.1", name(1)), x)?;
    let x = g.relu(x)?;
    // An odd size was rounded up by the encoder.
    let x =
        if g.shape(x).with_channels(1) == g.shape(like).with_channels(1) { x } else { g.fit_to(x, like)? };
    g.use_conv_init(ConvInit::HeUniform);
    unit(g, &name(2), x, &Conv2d::new(out, 1))
}
