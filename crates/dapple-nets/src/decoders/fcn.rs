//! Fully convolutional network on a dilated ResNet, after Long, Shelhamer and Darrell, CVPR 2015,
//! <https://arxiv.org/abs/1411.4038>, as torchvision builds it (`fcn_resnet50`): output stride 8, two convolutions, and
//! the same again on the second-last feature map as an auxiliary head.

use super::decoder::{BILINEAR, Decoder, DecoderSettings, SMALLEST};
use crate::blocks::conv_bn_relu;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId};

pub(crate) const FCN: Decoder = Decoder {
    name: "fcn",
    prefix: "backbone.",
    strides: &[8, 16],
    torchvision: true,
    fits: |encoder| encoder.name.starts_with("resnet"),
    scales: false,
    attends: false,
    smallest: SMALLEST,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    fcn_head(g, "classifier", "logits", features.deepest(), settings)?;
    auxiliary(g, features.maps[2], settings)
}

/// The second output, which helps training: an FCN head on an earlier map.
pub(super) fn auxiliary(g: &mut Graph, x: NodeId, settings: &DecoderSettings) -> Result<(), GraphError> {
    fcn_head(g, "aux_classifier", "aux", x, settings)
}

/// 3 x 3 convolution to a quarter of the channels, 1 x 1 convolution to the logits, bilinear upsampling.
fn fcn_head(
    g: &mut Graph,
    name: &str,
    output: &str,
    x: NodeId,
    settings: &DecoderSettings,
) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Torch);
    let conv = Conv2d::new(g.shape(x).c / 4, 3).padding(1).bias(false);
    let x = conv_bn_relu(g, [&format!("{name}.0"), &format!("{name}.1")], x, &conv)?;
    let x = settings.dropout(g, x, 0.1)?;
    let x = g.conv2d(&format!("{name}.4"), x, &Conv2d::new(settings.logits, 1))?;
    let image = g.input();
    let x = g.resize(x, image, BILINEAR)?;
    g.output(output, x)
}
