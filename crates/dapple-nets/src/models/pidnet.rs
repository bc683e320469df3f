//! PIDNet. Xu, Xiong and Bhattacharyya, "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID Controllers", CVPR
//! 2023, figures 4 to 7, tables 1 and 2, <https://arxiv.org/abs/2206.02066>: DDRNet with a third branch that finds boundaries.
//!
//! The branch P keeps its size from stride 8 on, I goes down to stride 64 for the context, D finds the boundaries. Where P takes
//! features of I, a gate (Pag) says how far to trust them at each pixel; in the end D decides between P's details and I's context
//! (Bag). In training, an auxiliary head learns the labels from P and another one the boundaries from D (section 3.4): the
//! outputs have the factors 1, 0.4 and 20 in the loss, and the boundary-aware cross-entropy comes in addition
//! ([`dapple_graph::Loss::boundary_aware`]).
//!
//! Parameters have the names of the authors' checkpoints. As in their code, whose ReLUs work in place, the auxiliary heads read P
//! and D behind the next ReLU. Odd sizes are rounded up, and feature maps are resized to P's size; the authors' code
//! needs multiples of 8.

use super::dual_resolution::{
    BILINEAR, Pyramid, basic_block, basic_blocks, bottleneck, head, numbered, pair, pyramid,
};
use crate::blocks::{check_size, conv_bn_relu};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Pointwise, Shape};

/// The sizes of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidNetSize {
    /// 7.6 M parameters at the published width of 32.
    S,
    /// Width 64.
    M,
    /// Width 64, more blocks, DDRNet's pyramid and a full boundary fusion.
    L,
}

/// PIDNet with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidNet {
    /// Which of the three.
    pub size: PidNetSize,
    /// Channels of the first stage, a multiple of 4; all others scale with it.
    pub width: usize,
    /// Channels of the outputs that learn the labels.
    pub logits: usize,
}

impl PidNet {
    /// Smallest height and width.
    pub const SMALLEST: usize = 1;

    fn is_large(&self) -> bool {
        self.size == PidNetSize::L
    }

    /// Blocks of the first two stages and of P, and of the next two.
    fn blocks(&self) -> [usize; 2] {
        if self.is_large() { [3, 4] } else { [2, 3] }
    }

    /// Channels of the pyramid's scales.
    fn scales(&self) -> usize {
        match self.size {
            PidNetSize::S => 3 * self.width,
            PidNetSize::M => 3 * self.width / 2,
            PidNetSize::L => 7 * self.width / 4,
        }
    }

    /// Channels within the heads of the labels.
    fn inner(&self) -> usize {
        match self.size {
            PidNetSize::M => 2 * self.width,
            PidNetSize::S | PidNetSize::L => 4 * self.width,
        }
    }

    /// The first block of D.
    fn first_of_d(&self, g: &mut Graph, x: NodeId) -> Result<NodeId, GraphError> {
        let channels = if self.is_large() { 2 * self.width } else { self.width };
        basic_block(g, "layer3_d", x, channels, 1)
    }

    /// Its second block, to twice the width.
    fn second_of_d(&self, g: &mut Graph, x: NodeId) -> Result<NodeId, GraphError> {
        if self.is_large() {
            basic_block(g, "layer4_d", x, 2 * self.width, 1)
        } else {
            bottleneck(g, "layer4_d.0", x, self.width, 1)
        }
    }

    /// Boundary attention (figure 7): where `d` sees a boundary, the details `p` count, elsewhere the context `i`.
    fn fuse(&self, g: &mut Graph, p: NodeId, i: NodeId, d: NodeId) -> Result<NodeId, GraphError> {
        let channels = 4 * self.width;
        let gate = g.activate(d, Pointwise::Sigmoid)?;
        if self.is_large() {
            let mixed = between(g, i, p, gate)?;
            return numbered(g, "dfm.conv", 0, mixed, &Conv2d::new(channels, 3).padding(1));
        }
        // The light one: 1 x 1 convolutions of p + (1 - gate) i and of i + gate p.
        let inside = g.mul(i, gate)?;
        let outside = g.subtract(i, inside)?;
        let details = g.add(p, outside)?;
        let details = pair(g, "dfm.conv_p", 0, details, &Conv2d::new(channels, 1))?;
        let inside = g.mul(p, gate)?;
        let context = g.add(i, inside)?;
        let context = pair(g, "dfm.conv_i", 0, context, &Conv2d::new(channels, 1))?;
        g.add(details, context)
    }
}

impl Network for PidNet {
    /// Three outputs for an input `[n, h, w, c]` of any size: the logits `[n, h, w, logits]`, the auxiliary head's, and a logit
    /// of boundaries `[n, h, w, 1]`.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("pidnet", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanOut);
        let (image, width, [few, many]) = (g.input(), self.width, self.blocks());
        let down = Conv2d::new(width, 3).stride(2).padding(1);
        let x = conv_bn_relu(g, ["conv1.0", "conv1.1"], image, &down)?;
        let x = conv_bn_relu(g, ["conv1.3", "conv1.4"], x, &down)?;
        let x = basic_blocks(g, "layer1", x, width, 1, few)?;
        let x = g.relu(x)?;
        let x = basic_blocks(g, "layer2", x, 2 * width, 2, few)?;
        let x = g.relu(x)?;

        let p = basic_blocks(g, "layer3_", x, 2 * width, 1, few)?;
        let d = self.first_of_d(g, x)?;
        let i = basic_blocks(g, "layer3", x, 4 * width, 2, many)?;
        let i = g.relu(i)?;
        let p = attend(g, "3", p, i)?;
        let d = differ(g, "diff3", d, i)?;
        let (p, d) = (g.relu(p)?, g.relu(d)?);
        let early = p;

        let i = basic_blocks(g, "layer4", i, 8 * width, 2, many)?;
        let i = g.relu(i)?;
        let p = basic_blocks(g, "layer4_", p, 2 * width, 1, few)?;
        let d = self.second_of_d(g, d)?;
        let p = attend(g, "4", p, i)?;
        let d = differ(g, "diff4", d, i)?;
        let (p, d) = (g.relu(p)?, g.relu(d)?);
        let boundaries = d;

        let p = bottleneck(g, "layer5_.0", p, 2 * width, 1)?;
        let d = bottleneck(g, "layer5_d.0", d, 2 * width, 1)?;
        let i = bottleneck(g, "layer5.0", i, 8 * width, 2)?;
        let i = bottleneck(g, "layer5.1", i, 8 * width, 1)?;
        let kind = if self.is_large() { Pyramid::Deep } else { Pyramid::Parallel };
        let i = pyramid(g, kind, i, self.scales(), 4 * width)?;
        let i = g.resize(i, p, BILINEAR)?;
        let fused = self.fuse(g, p, i, d)?;

        let heads = [
            ("logits", head(g, "final_layer", fused, self.inner(), self.logits)?),
            ("aux", head(g, "seghead_p", early, self.inner(), self.logits)?),
            ("boundaries", head(g, "seghead_d", boundaries, width, 1)?),
        ];
        for (name, logits) in heads {
            let logits = g.resize(logits, image, Interpolation::Bilinear { align_corners: true })?;
            g.output(name, logits)?;
        }
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// `a + gate (b - a)`.
fn between(g: &mut Graph, a: NodeId, b: NodeId, gate: NodeId) -> Result<NodeId, GraphError> {
    let way = g.subtract(b, a)?;
    let way = g.mul(way, gate)?;
    g.add(a, way)
}

/// Pixel attention (figure 5): P takes I's features as far as the two agree, by the sigmoid of the inner product of their
/// embeddings.
fn attend(g: &mut Graph, stage: &str, p: NodeId, i: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(p).c;
    let i = pair(g, &format!("compression{stage}"), 0, i, &Conv2d::new(channels, 1))?;
    let embedding = Conv2d::new(channels / 2, 1);
    let query = pair(g, &format!("pag{stage}.f_y"), 0, i, &embedding)?;
    let query = g.resize(query, p, BILINEAR)?;
    let key = pair(g, &format!("pag{stage}.f_x"), 0, p, &embedding)?;
    let product = g.mul(key, query)?;
    let similarity = g.channel_sum(product, channels)?;
    let gate = g.activate(similarity, Pointwise::Sigmoid)?;
    let i = g.resize(i, p, BILINEAR)?;
    between(g, p, i, gate)
}

/// D and the difference that I adds to it.
fn differ(g: &mut Graph, name: &str, d: NodeId, i: NodeId) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(g.shape(d).c, 3).padding(1);
    let difference = pair(g, name, 0, i, &conv)?;
    let difference = g.resize(difference, d, BILINEAR)?;
    g.add(d, difference)
}
