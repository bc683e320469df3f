//! Lite R-ASPP on MobileNetV3. Howard et al., "Searching for MobileNetV3", ICCV 2019, section 6.4 and figure 10,
//! <https://arxiv.org/abs/1905.02244>, as torchvision builds it (`lraspp_mobilenet_v3_large`): output stride 16.

use super::decoder::{BILINEAR, Decoder, DecoderSettings, SMALLEST};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Pointwise};

pub(crate) const LRASPP: Decoder = Decoder {
    name: "lraspp",
    prefix: "backbone.",
    strides: &[16, 8],
    torchvision: true,
    fits: |encoder| encoder.name.starts_with("mobilenetv3"),
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Torch);
    let channels = settings.scaled(128);
    let (low, high) = (features.early.unwrap_or(features.maps[1]), features.deepest());
    let x = unit(g, "classifier.cbr", high, &Conv2d::new(channels, 1))?;
    let mean = g.adaptive_avg_pool(high, [1, 1])?;
    let gate = g.conv2d("classifier.scale.1", mean, &Conv2d::new(channels, 1).bias(false))?;
    let gate = g.activate(gate, Pointwise::Sigmoid)?;
    let x = g.mul(x, gate)?;
    let x = g.resize(x, low, BILINEAR)?;
    let low = g.conv2d("classifier.low_classifier", low, &Conv2d::new(settings.logits, 1))?;
    let high = g.conv2d("classifier.high_classifier", x, &Conv2d::new(settings.logits, 1))?;
    let x = g.add(low, high)?;
    let image = g.input();
    let x = g.resize(x, image, BILINEAR)?;
    g.output("logits", x)
}
