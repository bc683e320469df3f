//! DDRNet-23-slim. Hong, Pan, Sun and Jia, "Deep Dual-resolution Networks for Real-time and Accurate Semantic
//! Segmentation of Road Scenes", 2021, figures 4 and 5, tables 1 and 2, <https://arxiv.org/abs/2101.06085>: a network for
//! real time, 5.7 M parameters, that keeps a second branch at stride 8.
//!
//! From stride 8 on, the first branch goes down to stride 64 while the second one keeps its size; they exchange features
//! twice. A deep aggregation pyramid pooling module (DAPPM) widens the receptive field of the first branch, which is then
//! added to the second one. An auxiliary head learns from the second branch after the first exchange (section III-D), weighted with 0.4.
//!
//! Parameters have the names of the authors' checkpoints. Odd sizes are rounded up, and feature maps are resized to the
//! second branch's size before they join it, so that any image size is allowed; the authors' code needs multiples of 8.

use crate::blocks::{check_size, conv_bn, conv_bn_relu};
use dapple_graph::{AvgPool, Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Shape};

/// DDRNet-23-slim with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DdrNet {
    /// Channels of the first stage, 32 in the slim network; all others scale with it.
    pub width: usize,
    /// Channels of each output.
    pub logits: usize,
}

/// Kernels and strides of the DAPPM's poolings; the padding is half the kernel.
const POOLINGS: [(usize, usize); 3] = [(5, 2), (9, 4), (17, 8)];

const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

impl DdrNet {
    /// Smallest height and width.
    pub const SMALLEST: usize = 1;
}

impl Network for DdrNet {
    /// Two outputs `[n, h, w, logits]` for an input `[n, h, w, c]` of any size: the logits and the auxiliary head's.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("ddrnet-23-slim", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanOut);
        let (image, width) = (g.input(), self.width);
        let down = Conv2d::new(width, 3).stride(2).padding(1);
        let x = conv_bn_relu(g, ["conv1.0", "conv1.1"], image, &down)?;
        let x = conv_bn_relu(g, ["conv1.3", "conv1.4"], x, &down)?;
        let x = basic_blocks(g, "layer1", x, width, 1)?;
        let x = g.relu(x)?;
        let x = basic_blocks(g, "layer2", x, 2 * width, 2)?;

        let x = g.relu(x)?;
        let low = basic_blocks(g, "layer3", x, 4 * width, 2)?;
        let high = basic_blocks(g, "layer3_", x, 2 * width, 1)?;
        let (low, high) = exchange(g, low, high, "compression3", &[("down3", 0, 4 * width)])?;
        let early = high;

        let (x, y) = (g.relu(low)?, g.relu(high)?);
        let low = basic_blocks(g, "layer4", x, 8 * width, 2)?;
        let high = basic_blocks(g, "layer4_", y, 2 * width, 1)?;
        let steps = [("down4", 0, 4 * width), ("down4", 3, 8 * width)];
        let (low, high) = exchange(g, low, high, "compression4", &steps)?;

        let (x, y) = (g.relu(low)?, g.relu(high)?);
        let high = bottleneck(g, "layer5_.0", y, 2 * width, 1)?;
        let low = bottleneck(g, "layer5.0", x, 8 * width, 2)?;
        let low = pyramid(g, low, 4 * width, 4 * width)?;
        let low = g.resize(low, high, BILINEAR)?;
        let sum = g.add(low, high)?;
        let logits = self.head(g, "final_layer", sum)?;
        let auxiliary = self.head(g, "seghead_extra", early)?;
        g.output("logits", logits)?;
        g.output("aux", auxiliary)?;
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

impl DdrNet {
    /// Figure 4's segmentation head, up to the image's size.
    fn head(&self, g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let conv = Conv2d::new(2 * self.width, 3).padding(1).bias(false);
        let x = before(g, [&format!("{name}.bn1"), &format!("{name}.conv1")], x, &conv)?;
        let names = [&format!("{name}.bn2"), &format!("{name}.conv2")];
        let x = before(g, names.map(String::as_str), x, &Conv2d::new(self.logits, 1))?;
        g.resize(x, g.input(), BILINEAR)
    }
}

/// Batch norm and ReLU before a convolution.
fn before(g: &mut Graph, [norm, name]: [&str; 2], x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let x = g.batch_norm(norm, x)?;
    let x = g.relu(x)?;
    g.conv2d(name, x, conv)
}

/// As [`before`], with the norm as `name.FIRST` and the convolution two layers after it.
fn numbered(g: &mut Graph, name: &str, first: usize, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let names = [format!("{name}.{first}"), format!("{name}.{}", first + 2)];
    before(g, names.each_ref().map(String::as_str), x, &conv.bias(false))
}

/// Two residual blocks of two 3 x 3 convolutions; the second ends without ReLU.
fn basic_blocks(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    out: usize,
    stride: usize,
) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(1).bias(false);
    let block = |g: &mut Graph, index: usize, x: NodeId, stride: usize| {
        let names = |n: usize| [format!("{name}.{index}.conv{n}"), format!("{name}.{index}.bn{n}")];
        let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv.stride(stride))?;
        let y = conv_bn(g, names(2).each_ref().map(String::as_str), y, &conv)?;
        let x = shortcut(g, &format!("{name}.{index}"), x, out, stride)?;
        g.add(y, x)
    };
    let x = block(g, 0, x, stride)?;
    let x = g.relu(x)?;
    block(g, 1, x, 1)
}

/// A residual block of 1 x 1, 3 x 3 and 1 x 1 convolutions that doubles the channels, without ReLU at its end.
fn bottleneck(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    inner: usize,
    stride: usize,
) -> Result<NodeId, GraphError> {
    let names = |n: usize| [format!("{name}.conv{n}"), format!("{name}.bn{n}")];
    let convs = [
        Conv2d::new(inner, 1).bias(false),
        Conv2d::new(inner, 3).stride(stride).padding(1).bias(false),
        Conv2d::new(2 * inner, 1).bias(false),
    ];
    let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &convs[0])?;
    let y = conv_bn_relu(g, names(2).each_ref().map(String::as_str), y, &convs[1])?;
    let y = conv_bn(g, names(3).each_ref().map(String::as_str), y, &convs[2])?;
    let x = shortcut(g, name, x, 2 * inner, stride)?;
    g.add(y, x)
}

/// A residual block's input, through a 1 x 1 convolution where the shape changes.
fn shortcut(g: &mut Graph, name: &str, x: NodeId, out: usize, stride: usize) -> Result<NodeId, GraphError> {
    if stride == 1 && g.shape(x).c == out {
        return Ok(x);
    }
    let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
    conv_bn(g, names.each_ref().map(String::as_str), x, &Conv2d::new(out, 1).stride(stride).bias(false))
}

/// Bilateral fusion (figure 3): the second branch through 3 x 3 convolutions of stride 2 (name, index and channels of each)
/// onto the first one, and the first one through a 1 x 1 convolution, enlarged, onto the second one.
fn exchange(
    g: &mut Graph,
    low: NodeId,
    high: NodeId,
    compression: &str,
    down: &[(&str, usize, usize)],
) -> Result<(NodeId, NodeId), GraphError> {
    let mut onto_low = high;
    for &(name, index, channels) in down {
        onto_low = g.relu(onto_low)?;
        let names = [format!("{name}.{index}"), format!("{name}.{}", index + 1)];
        let conv = Conv2d::new(channels, 3).stride(2).padding(1).bias(false);
        onto_low = conv_bn(g, names.each_ref().map(String::as_str), onto_low, &conv)?;
    }
    let x = g.relu(low)?;
    let names = [format!("{compression}.0"), format!("{compression}.1")];
    let conv = Conv2d::new(g.shape(high).c, 1).bias(false);
    let x = conv_bn(g, names.each_ref().map(String::as_str), x, &conv)?;
    let onto_high = g.resize(x, high, BILINEAR)?;
    Ok((g.add(low, onto_low)?, g.add(high, onto_high)?))
}

/// The DAPPM (figure 5, equation 3): the map and its means over windows of growing size, each joined with the one before
/// it; all concatenated, and a shortcut.
fn pyramid(g: &mut Graph, x: NodeId, branch: usize, out: usize) -> Result<NodeId, GraphError> {
    let narrow = Conv2d::new(branch, 1);
    let mut parts = vec![numbered(g, "spp.scale0", 0, x, &narrow)?];
    for scale in 1..=POOLINGS.len() + 1 {
        let pooled = match POOLINGS.get(scale - 1) {
            Some(&(kernel, stride)) => g.avg_pool(x, &AvgPool::new(kernel, stride).padding(kernel / 2))?,
            None => g.adaptive_avg_pool(x, [1, 1])?,
        };
        let y = numbered(g, &format!("spp.scale{scale}"), 1, pooled, &narrow)?;
        let y = g.resize(y, x, BILINEAR)?;
        let y = g.add(y, parts[scale - 1])?;
        parts.push(numbered(g, &format!("spp.process{scale}"), 0, y, &Conv2d::new(branch, 3).padding(1))?);
    }
    let all = g.concat(&parts)?;
    let all = numbered(g, "spp.compression", 0, all, &Conv2d::new(out, 1))?;
    let own = numbered(g, "spp.shortcut", 0, x, &Conv2d::new(out, 1))?;
    g.add(all, own)
}
