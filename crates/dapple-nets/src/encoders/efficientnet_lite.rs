//! EfficientNet-Lite: the networks of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
//! Networks", ICML 2019, <https://arxiv.org/abs/1905.11946>, as their authors simplified them for small devices
//! (<https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite>): no squeeze-and-excitation, ReLU6
//! for SiLU; the channels of the first layer and the blocks of the first and the last stage are not scaled.
//!
//! Convolutions of stride 2 pad as TensorFlow does, with which the published weights were trained. Parameters: numbered as
//! torchvision's EfficientNet, `features.INDEX`. Stochastic depth with the published survival probability of 0.8.

use super::efficientnet::{Block, Layout, Stage, TABLE, TENSORFLOW, stages, torchvision};
use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::{divisible, padded_at_the_end};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Tan and Le, ICML 2019, arXiv:1905.11946";
    Encoder {
        name,
        title,
        source,
        width: WIDTH,
        dilates: true,
        halves: true,
        drop_path: 0.2,
        normalization: Normalization::Lite,
        build,
    }
}

pub(super) const LITE0: Encoder =
    encoder("efficientnet-lite0", "EfficientNet-Lite0", |g, x, form| build(g, x, form, Scaling(1.0, 1.0)));
pub(super) const LITE1: Encoder =
    encoder("efficientnet-lite1", "EfficientNet-Lite1", |g, x, form| build(g, x, form, Scaling(1.0, 1.1)));
pub(super) const LITE2: Encoder =
    encoder("efficientnet-lite2", "EfficientNet-Lite2", |g, x, form| build(g, x, form, Scaling(1.1, 1.2)));
pub(super) const LITE3: Encoder =
    encoder("efficientnet-lite3", "EfficientNet-Lite3", |g, x, form| build(g, x, form, Scaling(1.2, 1.4)));
pub(super) const LITE4: Encoder =
    encoder("efficientnet-lite4", "EfficientNet-Lite4", |g, x, form| build(g, x, form, Scaling(1.4, 1.8)));

/// Published channels of the first layer.
const WIDTH: usize = 32;

/// The factors of width and depth over Lite0's.
#[derive(Clone, Copy)]
struct Scaling(f64, f64);

impl Scaling {
    /// Blocks of a stage of the table.
    fn blocks(self, stage: usize) -> usize {
        let Stage(.., blocks) = TABLE[stage];
        match stage == 0 || stage + 1 == TABLE.len() {
            true => blocks,
            false => (blocks as f64 * self.1).ceil() as usize,
        }
    }
}

fn build(g: &mut Graph, x: NodeId, form: &Form, scaling: Scaling) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    // Widths other than the published one scale all channels, the first layer's too.
    let narrow = form.width as f64 / WIDTH as f64;
    let stem = Conv2d::new(divisible(WIDTH as f64 * narrow), 3).stride(2);
    let image = padded_at_the_end(g, x, x)?;
    let half = layer(g, &format!("{}{}0", form.prefix, form.features), image, &stem, true)?;
    let scaled = |channels: usize| divisible(channels as f64 * scaling.0 * narrow);
    let blocks = |stage: usize| scaling.blocks(stage);
    let layout = Layout { blocks: &blocks, scaled: &scaled, name: &torchvision, add: &block, early: None };
    stages(g, half, form, &layout)
}

/// MBConv without squeeze-and-excitation: expansion, depthwise convolution, projection.
fn block(g: &mut Graph, name: &str, x: NodeId, settings: &Block) -> Result<NodeId, GraphError> {
    let &Block { expansion, kernel, stride, dilation, out, .. } = settings;
    let (channels, mut y, mut part) = (g.shape(x).c * expansion, x, 0);
    let mut next = || {
        part += 1;
        format!("{name}.{}", part - 1)
    };
    if expansion > 1 {
        y = layer(g, &next(), y, &Conv2d::new(channels, 1), true)?;
    }
    let conv = Conv2d::new(channels, kernel).groups(channels);
    y = if stride > 1 {
        let y = padded_at_the_end(g, y, x)?;
        layer(g, &next(), y, &conv.stride(stride).padding(kernel / 2 - 1), true)?
    } else {
        layer(g, &next(), y, &conv.padding(kernel / 2 * dilation).dilation(dilation), true)?
    };
    layer(g, &next(), y, &Conv2d::new(out, 1), false)
}

/// Convolution, batch norm and perhaps ReLU6.
fn layer(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d, relu6: bool) -> Result<NodeId, GraphError> {
    let x = g.conv2d(&format!("{name}.0"), x, &conv.bias(false))?;
    let x = g.batch_norm_with(&format!("{name}.1"), x, TENSORFLOW)?;
    if relu6 { g.activate(x, Pointwise::Relu6) } else { Ok(x) }
}
