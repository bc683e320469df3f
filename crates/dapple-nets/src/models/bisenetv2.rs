//! BiSeNetV2. Yu, Gao, Wang, Yu, Shen and Sang, "BiSeNet V2: Bilateral Network with Guided Aggregation for Real-time Semantic
//! Segmentation", IJCV 2021, table 1, figures 3 to 6, <https://arxiv.org/abs/2004.02147>: a wide and shallow branch for details
//! down to stride 8, a narrow and deep one for semantics down to stride 32, and a layer in which each guides the other.
//!
//! In training, four auxiliary heads on the semantic branch learn the labels too (section 4.4). Maps are sampled bilinearly.
//! Any image size is allowed, since all halvings round up.

use crate::blocks::{check_size, conv_bn, unit};
use dapple_graph::{
    AvgPool, Conv2d, ConvInit, Graph, GraphError, Interpolation, MaxPool, Network, NodeId, Pointwise, Shape,
};

/// BiSeNetV2 with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BiSeNetV2 {
    /// Channels of the first stage, a multiple of 4, 64 in the paper; all others scale with it.
    pub width: usize,
    /// Channels of each output.
    pub logits: usize,
}

/// Factor by which the gather-and-expansion layers widen.
const EXPANSION: usize = 6;

const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

impl BiSeNetV2 {
    /// Smallest height and width.
    pub const SMALLEST: usize = 1;

    /// The detail branch, to stride 8: table 1, left.
    fn detail(&self, g: &mut Graph) -> Result<NodeId, GraphError> {
        let mut x = g.input();
        for (stage, (channels, layers)) in
            [(self.width, 2), (self.width, 3), (2 * self.width, 3)].into_iter().enumerate()
        {
            for layer in 0..layers {
                let conv = Conv2d::new(channels, 3).stride(if layer == 0 { 2 } else { 1 }).padding(1);
                x = unit(g, &format!("detail.stage{}.{layer}", stage + 1), x, &conv)?;
            }
        }
        Ok(x)
    }

    /// The semantic branch: its maps at strides 4, 8, 16 and 32, and the last one with the context.
    fn semantic(&self, g: &mut Graph) -> Result<[NodeId; 5], GraphError> {
        let width = self.width;
        let mut x = self.stem(g, "semantic.stem")?;
        let mut maps = [x; 5];
        for (stage, (channels, layers)) in
            [(width / 2, 2), (width, 2), (2 * width, 4)].into_iter().enumerate()
        {
            for layer in 0..layers {
                let name = format!("semantic.stage{}.{layer}", stage + 3);
                x = if layer == 0 { expand_down(g, &name, x, channels)? } else { expand(g, &name, x)? };
            }
            maps[stage + 1] = x;
        }
        maps[4] = embed_context(g, "semantic.context", x)?;
        Ok(maps)
    }

    /// Figure 4(a): convolutions and a pooling side by side, to stride 4.
    fn stem(&self, g: &mut Graph, name: &str) -> Result<NodeId, GraphError> {
        let (image, channels) = (g.input(), self.width / 4);
        let down = Conv2d::new(channels, 3).stride(2).padding(1);
        let x = unit(g, &format!("{name}.conv"), image, &down)?;
        let y = unit(g, &format!("{name}.left.0"), x, &Conv2d::new((channels / 2).max(1), 1))?;
        let y = unit(g, &format!("{name}.left.1"), y, &down)?;
        let pooled = g.max_pool(x, &MaxPool::new(3, 2).padding(1))?;
        let both = g.concat(&[y, pooled])?;
        unit(g, &format!("{name}.fuse"), both, &Conv2d::new(channels, 3).padding(1))
    }
}

impl Network for BiSeNetV2 {
    /// Five outputs `[n, h, w, logits]` for an input `[n, h, w, c]` of any size: the logits, then those of the auxiliary heads at
    /// strides 4, 8, 16 and 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("bisenetv2", input, Self::SMALLEST)?;
        if self.width == 0 || !self.width.is_multiple_of(4) {
            let why = format!("bisenetv2: the width must be a multiple of 4, not {}", self.width);
            return Err(GraphError::Config(why));
        }
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanOut);
        let detail = self.detail(g)?;
        let [x2, x3, x4, x5, context] = self.semantic(g)?;
        let x = aggregate(g, "aggregation", detail, context)?;
        let image = g.input();
        let heads = [
            ("logits", "head", x, 16 * self.width),
            ("aux2", "aux2", x2, 2 * self.width),
            ("aux3", "aux3", x3, 2 * self.width),
            ("aux4", "aux4", x4, 2 * self.width),
            ("aux5", "aux5", x5, 2 * self.width),
        ];
        for (output, name, x, inner) in heads {
            // Figure 5.
            let x = unit(g, &format!("{name}.conv"), x, &Conv2d::new(inner, 3).padding(1))?;
            let x = g.conv2d(&format!("{name}.classifier"), x, &Conv2d::new(self.logits, 1))?;
            let x = g.resize(x, image, BILINEAR)?;
            g.output(output, x)?;
        }
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// Convolution without bias and batch norm as `name.0` and `name.1`.
fn normed(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn(g, [&format!("{name}.0"), &format!("{name}.1")], x, &conv.bias(false))
}

/// A 3 x 3 depthwise convolution to `out` channels, a multiple of the map's.
fn depthwise(g: &Graph, x: NodeId, out: usize) -> Conv2d {
    Conv2d::new(out, 3).padding(1).groups(g.shape(x).c)
}

/// Figure 4(b): the context, the mean over the image, added to all pixels.
fn embed_context(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let mean = g.adaptive_avg_pool(x, [1, 1])?;
    let mean = g.batch_norm(&format!("{name}.norm"), mean)?;
    let mean = unit(g, &format!("{name}.mean"), mean, &Conv2d::new(channels, 1))?;
    let mean = g.resize(mean, x, BILINEAR)?;
    let x = g.add(x, mean)?;
    unit(g, &format!("{name}.conv"), x, &Conv2d::new(channels, 3).padding(1))
}

/// Figure 6(b): gather by a 3 x 3 convolution, expand by a depthwise one, project; plus `x`.
fn expand(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let y = unit(g, &format!("{name}.gather"), x, &Conv2d::new(channels, 3).padding(1))?;
    let wide = depthwise(g, y, EXPANSION * channels);
    let y = unit(g, &format!("{name}.expand"), y, &wide)?;
    let y = normed(g, &format!("{name}.project"), y, &Conv2d::new(channels, 1))?;
    let sum = g.add(y, x)?;
    g.relu(sum)
}

/// Figure 6(c): the same with two depthwise convolutions, the first of stride 2, and a separable convolution of `x`.
fn expand_down(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let y = unit(g, &format!("{name}.gather"), x, &Conv2d::new(channels, 3).padding(1))?;
    let down = depthwise(g, y, EXPANSION * channels).stride(2);
    let y = normed(g, &format!("{name}.down"), y, &down)?;
    let same = depthwise(g, y, EXPANSION * channels);
    let y = unit(g, &format!("{name}.expand"), y, &same)?;
    let y = normed(g, &format!("{name}.project"), y, &Conv2d::new(out, 1))?;
    let shortcut = depthwise(g, x, channels).stride(2);
    let x = normed(g, &format!("{name}.shortcut.0"), x, &shortcut)?;
    let x = normed(g, &format!("{name}.shortcut.1"), x, &Conv2d::new(out, 1))?;
    let sum = g.add(y, x)?;
    g.relu(sum)
}

/// Figure 6 and section 4.3, bilateral guided aggregation: at each of the two sizes, one branch times the gate of the other.
fn aggregate(g: &mut Graph, name: &str, detail: NodeId, semantic: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(detail).c;
    let conv = Conv2d::new(channels, 3).padding(1);
    let fine = separable(g, &format!("{name}.detail_keep"), detail)?;
    let gate = normed(g, &format!("{name}.semantic_up"), semantic, &conv)?;
    let gate = g.resize(gate, detail, BILINEAR)?;
    let gate = g.activate(gate, Pointwise::Sigmoid)?;
    let fine = g.mul(fine, gate)?;

    let coarse = normed(g, &format!("{name}.detail_down"), detail, &conv.stride(2))?;
    let coarse = g.avg_pool(coarse, &AvgPool::new(3, 2).padding(1))?;
    let gate = separable(g, &format!("{name}.semantic_keep"), semantic)?;
    let gate = g.activate(gate, Pointwise::Sigmoid)?;
    let coarse = g.mul(coarse, gate)?;
    let coarse = g.resize(coarse, detail, BILINEAR)?;

    let sum = g.add(fine, coarse)?;
    unit(g, &format!("{name}.fuse"), sum, &conv)
}

/// A depthwise convolution with batch norm and a 1 x 1 convolution, to as many channels.
fn separable(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let first = depthwise(g, x, channels);
    let x = normed(g, &format!("{name}.0"), x, &first)?;
    g.conv2d(&format!("{name}.1"), x, &Conv2d::new(channels, 1).bias(false))
}
