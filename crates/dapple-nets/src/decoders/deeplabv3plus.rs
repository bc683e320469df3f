//! DeepLabV3+ on an encoder. Chen, Zhu, Papandreou, Schroff and Adam, "Encoder-Decoder with Atrous Separable Convolution
//! for Semantic Image Segmentation", ECCV 2018, section 3 and figure 2, <https://arxiv.org/abs/1802.02611>, as
//! segmentation_models_pytorch builds it: separable convolutions in the pyramid, output stride 16.

use super::decoder::{ALIGNED, Decoder, DecoderSettings, SMALLEST, head};
use super::deeplabv3::{RATES, pooling};
use crate::blocks::{conv_bn_relu, unit};
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId};

pub(crate) const DEEPLABV3PLUS: Decoder = Decoder {
    name: "deeplabv3plus",
    prefix: "encoder.",
    strides: &[16, 8],
    torchvision: false,
    fits: |encoder| encoder.dilates,
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Torch);
    let channels = settings.scaled(256);
    let x = features.deepest();
    let mut parts = vec![unit(g, "decoder.aspp.0.convs.0", x, &Conv2d::new(channels, 1))?];
    for (index, rate) in RATES.into_iter().enumerate() {
        let name = format!("decoder.aspp.0.convs.{}", index + 1);
        parts.push(separable(g, [&format!("{name}.0"), &format!("{name}.1")], x, channels, rate)?);
    }
    parts.push(pooling(g, "decoder.aspp.0.convs.4", x, channels)?);
    let x = g.concat(&parts)?;
    let x = unit(g, "decoder.aspp.0.project", x, &Conv2d::new(channels, 1))?;
    let x = settings.dropout(g, x, 0.5)?;
    let x = separable(g, ["decoder.aspp.1", "decoder.aspp.2"], x, channels, 1)?;
    // Concatenated with the encoder's feature map at stride 4.
    let fine = unit(g, "decoder.block1", features.maps[0], &Conv2d::new(settings.scaled(48), 1))?;
    let x = g.resize(x, fine, ALIGNED)?;
    let x = g.concat(&[x, fine])?;
    let x = separable(g, ["decoder.block2.0", "decoder.block2.1"], x, channels, 1)?;
    head(g, x, settings.logits, 1)
}

/// 3 x 3 depthwise convolution with a dilation, 1 x 1 convolution, batch norm, ReLU.
fn separable(
    g: &mut Graph,
    [conv, norm]: [&str; 2],
    x: NodeId,
    out: usize,
    rate: usize,
) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let depthwise = Conv2d::new(channels, 3).padding(rate).dilation(rate).groups(channels).bias(false);
    let x = g.conv2d(&format!("{conv}.0"), x, &depthwise)?;
    conv_bn_relu(g, [&format!("{conv}.1"), norm], x, &Conv2d::new(out, 1).bias(false))
}
