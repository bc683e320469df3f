//! MobileNetV2. Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR
//! 2018, table 2, <https://arxiv.org/abs/1801.04381>.
//!
//! Parameters: torchvision's `mobilenet_v2`, `features.INDEX`. The deepest map is the last 1 x 1 convolution's, with 1280
//! channels.

use super::encoder::{Encoder, Features, Form, Stride};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

pub(super) const MOBILENETV2: Encoder = Encoder {
    name: "mobilenetv2",
    title: "MobileNetV2",
    source: "Sandler et al., CVPR 2018, arXiv:1801.04381",
    width: WIDTH,
    dilates: true,
    halves: true,
    drop_path: 0.0,
    normalization: Normalization::ImageNet,
    build,
};

/// Published channels of the first layer.
const WIDTH: usize = 32;

/// One line of table 2: expansion, output channels, blocks and stride of the first one.
struct Line(usize, usize, usize, usize);

const TABLE: [Line; 7] = [
    Line(1, 16, 1, 1),
    Line(6, 24, 2, 2),
    Line(6, 32, 3, 2),
    Line(6, 64, 4, 2),
    Line(6, 96, 3, 1),
    Line(6, 160, 3, 2),
    Line(6, 320, 1, 1),
];

/// Lines whose outputs are the maps at strides 2, 4, 8 and 16.
const ENDS: [usize; 4] = [0, 1, 2, 4];

fn build(g: &mut Graph, x: NodeId, form: &Form) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let scaled = |channels: usize| (channels * form.width / WIDTH).max(1);
    let name = |index: usize| format!("{}{}{index}", form.prefix, form.features);
    let stem = Conv2d::new(scaled(WIDTH), 3).stride(2).padding(1);
    let mut x = layer(g, &name(0), x, &stem)?;
    let (mut stride, mut number, mut ends) = (2, 0, Vec::with_capacity(TABLE.len()));
    for Line(expansion, out, blocks, line_stride) in TABLE {
        stride *= line_stride;
        let own = form.stride.stage(stride);
        for index in 0..blocks {
            number += 1;
            let down = if index == 0 { line_stride } else { 1 };
            let (stride, dilation) = match (own.dilation, form.stride) {
                (1, _) => (down, 1),
                (_, Stride::DilatedLater(_)) if down > 1 => (1, own.first),
                (dilation, _) => (1, dilation),
            };
            let channels = g.shape(x).c * expansion;
            let depthwise = Conv2d::new(channels, 3).stride(stride).padding(dilation).dilation(dilation);
            let y = block(g, &format!("{}.conv", name(number)), x, &depthwise.groups(channels), scaled(out))?;
            x = if down == 1 && g.shape(x).c == g.shape(y).c { g.add(y, x)? } else { y };
        }
        ends.push(x);
    }
    let x = layer(g, &name(number + 1), x, &Conv2d::new(scaled(1280), 1))?;
    let [half, a, b, c] = ENDS.map(|end| ends[end]);
    Ok(Features { half: Some(half), maps: [a, b, c, x], early: None })
}

/// An inverted residual without its shortcut: expansion, depthwise convolution, linear projection.
fn block(g: &mut Graph, name: &str, x: NodeId, depthwise: &Conv2d, out: usize) -> Result<NodeId, GraphError> {
    let (mut x, mut part) = (x, 0);
    if depthwise.out_channels > g.shape(x).c {
        x = layer(g, &format!("{name}.0"), x, &Conv2d::new(depthwise.out_channels, 1))?;
        part = 1;
    }
    let x = layer(g, &format!("{name}.{part}"), x, depthwise)?;
    let x = g.conv2d(&format!("{name}.{}", part + 1), x, &Conv2d::new(out, 1).bias(false))?;
    g.batch_norm(&format!("{name}.{}", part + 2), x)
}

/// Convolution, batch norm and ReLU6.
fn layer(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let x = g.conv2d(&format!("{name}.0"), x, &conv.bias(false))?;
    let x = g.batch_norm(&format!("{name}.1"), x)?;
    g.activate(x, Pointwise::Relu6)
}
