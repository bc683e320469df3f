//! Pyramid attention network. Li, Xiong, An and Wang, "Pyramid Attention Network for Semantic Segmentation", BMVC 2018,
//! sections 3.1 and 3.2, figures 3 and 4, <https://arxiv.org/abs/1805.10180>, as segmentation_models_pytorch builds it:
//! output stride 16. The pyramid halves the deepest map three times.

use super::decoder::{ALIGNED, Decoder, DecoderSettings, glorot_head};
use crate::blocks::{conv_bn, conv_bn_relu};
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, MaxPool, NodeId, Pointwise};

pub(crate) const PAN: Decoder = Decoder {
    name: "pan",
    prefix: "encoder.",
    strides: &[16],
    torchvision: false,
    fits: |encoder| encoder.dilates,
    scales: true,
    attends: false,
    smallest: 128,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let channels = settings.scaled(32);
    let [c2, c3, c4, c5] = features.maps;
    let mut x = pyramid_attention(g, "decoder.fpa", c5, channels)?;
    for (name, map) in [("decoder.gau3", c4), ("decoder.gau2", c3), ("decoder.gau1", c2)] {
        x = attention_upsample(g, name, map, x)?;
    }
    glorot_head(g, x, settings.logits, 3)
}

/// Figure 3: the map, weighted at each pixel by a pyramid of three sizes with kernels of 7, 5 and 3, plus its mean.
fn pyramid_attention(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let narrow = Conv2d::new(out, 1);
    let mean = g.adaptive_avg_pool(x, [1, 1])?;
    let mean = layer(g, &format!("{name}.branch1.1"), mean, &narrow)?;
    let mean = g.resize(mean, x, ALIGNED)?;
    let middle = layer(g, &format!("{name}.mid.0"), x, &narrow)?;

    let halve = MaxPool::new(2, 2);
    let level = |kernel: usize| Conv2d::new(1, kernel).padding(kernel / 2);
    let x1 = g.max_pool(x, &halve)?;
    let x1 = layer(g, &format!("{name}.down1.1"), x1, &level(7))?;
    let x2 = g.max_pool(x1, &halve)?;
    let x2 = layer(g, &format!("{name}.down2.1"), x2, &level(5))?;
    let x3 = g.max_pool(x2, &halve)?;
    let x3 = layer(g, &format!("{name}.down3.1"), x3, &level(3))?;
    let x3 = layer(g, &format!("{name}.down3.2"), x3, &level(3))?;
    let x3 = g.resize(x3, x2, ALIGNED)?;
    let x2 = layer(g, &format!("{name}.conv2"), x2, &level(5))?;
    let sum = g.add(x2, x3)?;
    let sum = g.resize(sum, x1, ALIGNED)?;
    let x1 = layer(g, &format!("{name}.conv1"), x1, &level(7))?;
    let sum = g.add(x1, sum)?;
    let sum = g.resize(sum, x, ALIGNED)?;

    // One channel, repeated.
    let weights = g.channel_sum(sum, out)?;
    let weighted = g.mul(middle, weights)?;
    g.add(weighted, mean)
}

/// Figure 4: the coarse map enlarged, plus the fine one, whose channels the coarse one's means weight.
fn attention_upsample(g: &mut Graph, name: &str, fine: NodeId, coarse: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(coarse).c;
    let up = g.resize(coarse, fine, ALIGNED)?;
    let fine = layer(g, &format!("{name}.conv2"), fine, &Conv2d::new(channels, 3).padding(1))?;
    let gate = g.adaptive_avg_pool(coarse, [1, 1])?;
    let names = names(&format!("{name}.conv1.1"));
    let gate = conv_bn(g, names.each_ref().map(String::as_str), gate, &Conv2d::new(channels, 1))?;
    let gate = g.activate(gate, Pointwise::Sigmoid)?;
    let weighted = g.mul(fine, gate)?;
    g.add(up, weighted)
}

/// Convolution with bias, batch norm and ReLU.
fn layer(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn_relu(g, names(name).each_ref().map(String::as_str), x, conv)
}

fn names(name: &str) -> [String; 2] {
    [format!("{name}.conv"), format!("{name}.bn")]
}
