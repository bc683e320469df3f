//! MobileNetV4, its convolutional networks. Qin et al., "MobileNetV4: Universal Models for the Mobile Ecosystem", ECCV 2024,
//! section 4 and tables 11 and 12, <https://arxiv.org/abs/2404.10518>.
//!
//! Parameters: timm's `mobilenetv4_conv_small` and `mobilenetv4_conv_medium`. The deepest map is the last 1 x 1 convolution's,
//! with 960 channels.

use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::{conv_bn, conv_bn_relu};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId};

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Qin et al., ECCV 2024, arXiv:2404.10518";
    Encoder {
        name,
        title,
        source,
        width: WIDTH,
        dilates: true,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const SMALL: Encoder =
    encoder("mobilenetv4-conv-small", "MobileNetV4-Conv-Small", |g, x, form| build(g, x, form, &TABLE_SMALL));
pub(super) const MEDIUM: Encoder =
    encoder("mobilenetv4-conv-medium", "MobileNetV4-Conv-Medium", |g, x, form| {
        build(g, x, form, &TABLE_MEDIUM)
    });

/// Published channels of the first layer.
const WIDTH: usize = 32;

/// A block of the tables.
#[derive(Clone, Copy)]
enum Block {
    /// A convolution: kernel, stride, output channels.
    Conv(usize, usize, usize),
    /// A 3 x 3 convolution of stride 2 to more channels, a projection: expansion, output channels.
    Fused(usize, usize),
    /// The universal inverted bottleneck: kernels of the depthwise convolutions before and behind the expansion (0 for none),
    /// stride of the second, expansion, output channels.
    Universal(usize, usize, usize, usize, usize),
}

use Block::{Conv, Fused, Universal};

static TABLE_SMALL: [&[Block]; 5] = [
    &[Conv(3, 2, 32), Conv(1, 1, 32)],
    &[Conv(3, 2, 96), Conv(1, 1, 64)],
    &[
        Universal(5, 5, 2, 3, 96),
        Universal(0, 3, 1, 2, 96),
        Universal(0, 3, 1, 2, 96),
        Universal(0, 3, 1, 2, 96),
        Universal(0, 3, 1, 2, 96),
        Universal(3, 0, 1, 4, 96),
    ],
    &[
        Universal(3, 3, 2, 6, 128),
        Universal(5, 5, 1, 4, 128),
        Universal(0, 5, 1, 4, 128),
        Universal(0, 5, 1, 3, 128),
        Universal(0, 3, 1, 4, 128),
        Universal(0, 3, 1, 4, 128),
    ],
    &[Conv(1, 1, 960)],
];

static TABLE_MEDIUM: [&[Block]; 5] = [
    &[Fused(4, 48)],
    &[Universal(3, 5, 2, 4, 80), Universal(3, 3, 1, 2, 80)],
    &[
        Universal(3, 5, 2, 6, 160),
        Universal(3, 3, 1, 4, 160),
        Universal(3, 3, 1, 4, 160),
        Universal(3, 5, 1, 4, 160),
        Universal(3, 3, 1, 4, 160),
        Universal(3, 0, 1, 4, 160),
        Universal(0, 0, 1, 2, 160),
        Universal(3, 0, 1, 4, 160),
    ],
    &[
        Universal(5, 5, 2, 6, 256),
        Universal(5, 5, 1, 4, 256),
        Universal(3, 5, 1, 4, 256),
        Universal(3, 5, 1, 4, 256),
        Universal(0, 0, 1, 4, 256),
        Universal(3, 0, 1, 4, 256),
        Universal(3, 5, 1, 2, 256),
        Universal(5, 5, 1, 4, 256),
        Universal(0, 0, 1, 4, 256),
        Universal(0, 0, 1, 4, 256),
        Universal(5, 0, 1, 2, 256),
    ],
    &[Conv(1, 1, 960)],
];

impl Block {
    fn stride(self) -> usize {
        match self {
            Conv(_, stride, _) | Universal(_, _, stride, _, _) => stride,
            Fused(..) => 2,
        }
    }
}

fn build(g: &mut Graph, x: NodeId, form: &Form, table: &[&[Block]; 5]) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    let scaled = |channels: usize| (channels * form.width / WIDTH).max(1);
    let stem = Conv2d::new(scaled(WIDTH), 3).stride(2).padding(1);
    let half = active(g, [&format!("{prefix}conv_stem"), &format!("{prefix}bn1")], x, &stem)?;
    let (mut x, mut stride, mut maps) = (half, 2, [half; 4]);
    for (stage, blocks) in table.iter().enumerate() {
        for (index, &block) in blocks.iter().enumerate() {
            let down = block.stride();
            stride *= down;
            let own = form.stride.stage(stride);
            let dilation = if down > 1 { own.first } else { own.dilation };
            let stride = if own.dilation > 1 { 1 } else { down };
            let name = format!("{prefix}blocks.{stage}.{index}");
            x = match block {
                Conv(kernel, _, out) => {
                    let conv = Conv2d::new(scaled(out), kernel).stride(stride).padding(kernel / 2);
                    active(g, [&format!("{name}.conv"), &format!("{name}.bn1")], x, &conv)?
                }
                Fused(expansion, out) => {
                    let conv = Conv2d::new(expansion * g.shape(x).c, 3).stride(stride).padding(1);
                    let y = active(g, [&format!("{name}.conv_exp"), &format!("{name}.bn1")], x, &conv)?;
                    let conv = Conv2d::new(scaled(out), 1);
                    linear(g, [&format!("{name}.conv_pwl"), &format!("{name}.bn2")], y, &conv)?
                }
                Universal(start, middle, _, expansion, out) => {
                    let kernels = [start, middle];
                    let y = universal(g, &name, x, kernels, [stride, dilation], [expansion, scaled(out)])?;
                    if down == 1 && g.shape(x).c == g.shape(y).c { g.add(y, x)? } else { y }
                }
            };
        }
        // The last convolution belongs to the last map.
        maps[stage.min(3)] = x;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// A universal inverted bottleneck without its shortcut.
fn universal(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    [start, middle]: [usize; 2],
    [stride, dilation]: [usize; 2],
    [expansion, out]: [usize; 2],
) -> Result<NodeId, GraphError> {
    let names = |layer: &str| [format!("{name}.{layer}.conv"), format!("{name}.{layer}.bn")];
    let depthwise = |channels: usize, kernel: usize| {
        Conv2d::new(channels, kernel).padding(kernel / 2 * dilation).dilation(dilation).groups(channels)
    };
    let channels = g.shape(x).c;
    let mut y = x;
    if start > 0 {
        // The stride is the second one's.
        let conv = depthwise(channels, start).stride(if middle == 0 { stride } else { 1 });
        y = linear(g, names("dw_start").each_ref().map(String::as_str), y, &conv)?;
    }
    let expanded = expansion * channels;
    y = active(g, names("pw_exp").each_ref().map(String::as_str), y, &Conv2d::new(expanded, 1))?;
    if middle > 0 {
        let conv = depthwise(expanded, middle).stride(stride);
        y = active(g, names("dw_mid").each_ref().map(String::as_str), y, &conv)?;
    }
    linear(g, names("pw_proj").each_ref().map(String::as_str), y, &Conv2d::new(out, 1))
}

/// Convolution, batch norm and ReLU.
fn active(g: &mut Graph, names: [&str; 2], x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn_relu(g, names, x, &conv.bias(false))
}

/// Convolution and batch norm.
fn linear(g: &mut Graph, names: [&str; 2], x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn(g, names, x, &conv.bias(false))
}
