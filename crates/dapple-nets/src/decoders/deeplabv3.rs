//! DeepLabV3 on an encoder. Chen, Papandreou, Schroff and Adam, "Rethinking Atrous Convolution for Semantic Image
//! Segmentation", 2017, section 3 and figure 5, <https://arxiv.org/abs/1706.05587>, as torchvision builds it: output
//! stride 8, an auxiliary FCN head on the second-last feature map; on MobileNetV3 (`deeplabv3_mobilenet_v3_large`) output
//! stride 16, the head on the first block at stride 8. [`super::deeplabv3_smp`] is segmentation_models_pytorch's.

use super::decoder::{BILINEAR, Decoder, DecoderSettings, SMALLEST};
use super::fcn::auxiliary;
use crate::blocks::{conv_bn_relu, unit};
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId};

pub(crate) const DEEPLABV3: Decoder = Decoder {
    name: "deeplabv3",
    prefix: "backbone.",
    strides: &[8, 16],
    torchvision: true,
    fits: |encoder| encoder.name.starts_with("resnet"),
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

pub(crate) const DEEPLABV3_MOBILENET: Decoder =
    Decoder { strides: &[16, 8], fits: |encoder| encoder.name.starts_with("mobilenetv3"), ..DEEPLABV3 };

/// Dilations of the pyramid.
pub(super) const RATES: [usize; 3] = [12, 24, 36];

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Torch);
    let x = pyramid(g, "classifier.0", features.deepest(), settings)?;
    let conv = Conv2d::new(settings.scaled(256), 3).padding(1).bias(false);
    let x = conv_bn_relu(g, ["classifier.1", "classifier.2"], x, &conv)?;
    let x = g.conv2d("classifier.4", x, &Conv2d::new(settings.logits, 1))?;
    let image = g.input();
    let x = g.resize(x, image, BILINEAR)?;
    g.output("logits", x)?;
    auxiliary(g, features.early.unwrap_or(features.maps[2]), settings)
}

/// The pyramid of dilated convolutions (section 3.3), concatenated, projected, and dropout.
pub(super) fn pyramid(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    settings: &DecoderSettings,
) -> Result<NodeId, GraphError> {
    let channels = settings.scaled(256);
    let mut parts = vec![unit(g, &format!("{name}.convs.0"), x, &Conv2d::new(channels, 1))?];
    for (index, rate) in RATES.into_iter().enumerate() {
        let conv = Conv2d::new(channels, 3).padding(rate).dilation(rate);
        parts.push(unit(g, &format!("{name}.convs.{}", index + 1), x, &conv)?);
    }
    parts.push(pooling(g, &format!("{name}.convs.4"), x, channels)?);
    let x = g.concat(&parts)?;
    let x = unit(g, &format!("{name}.project"), x, &Conv2d::new(channels, 1))?;
    settings.dropout(g, x, 0.5)
}

/// The mean over the image through a 1 x 1 convolution, broadcast to the size of the feature map.
pub(super) fn pooling(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let y = g.adaptive_avg_pool(x, [1, 1])?;
    let names = [format!("{name}.1"), format!("{name}.2")];
    let y = conv_bn_relu(g, names.each_ref().map(String::as_str), y, &Conv2d::new(out, 1).bias(false))?;
    g.resize(y, x, BILINEAR)
}
