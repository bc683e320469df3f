//! DeepLabV3 on an encoder as segmentation_models_pytorch builds it. Chen, Papandreou, Schroff and Adam, "Rethinking Atrous
//! Convolution for Semantic Image Segmentation", 2017, section 3 and figure 5, <https://arxiv.org/abs/1706.05587>.
//!
//! The pyramid is that of [`super::deeplabv3`]. Differences: all convolutions of a dilated stage have one dilation, the
//! logits are upsampled with aligned corners, and there is no auxiliary head.

use super::decoder::{Decoder, DecoderSettings, SMALLEST, head};
use super::deeplabv3::pyramid;
use crate::blocks::conv_bn_relu;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError};

pub(crate) const DEEPLABV3_SMP: Decoder = Decoder {
    name: "deeplabv3-smp",
    prefix: "encoder.",
    strides: &[8, 16],
    torchvision: false,
    fits: |encoder| encoder.dilates,
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Torch);
    let x = pyramid(g, "decoder.aspp", features.deepest(), settings)?;
    let conv = Conv2d::new(settings.scaled(256), 3).padding(1).bias(false);
    let x = conv_bn_relu(g, ["decoder.conv", "decoder.bn"], x, &conv)?;
    head(g, x, settings.logits, 1)
}
