//! SegNeXt-T and S. Guo, Lu, Hou, Liu, Cheng and Hu, "SegNeXt: Rethinking Convolutional Attention Design for Semantic Segmentation",
//! NeurIPS 2022, figures 2 and 3, equations 1 to 3, tables 2 and 7, <https://arxiv.org/abs/2209.08575>: the encoder MSCAN, whose
//! attention is made of depthwise convolutions in strips, and a light decoder of its last three maps.
//!
//! Between the decoder's layers stands the non-local attention of table 7 (Wang et al., CVPR 2018), in place of Hamburger's matrix
//! decomposition, whose iterations are not among the operations here.
//!
//! The encoder's parameters have the names of MSCAN's checkpoints below `backbone.`. Stochastic depth with the published rate.

use crate::blocks::{check_size, common_divisor, drop_path};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Pointwise, Shape};

/// The sizes that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegNextSize {
    /// Tiny, width 32.
    T,
    /// Small, width 64.
    S,
}

/// SegNeXt with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegNext {
    /// Which of the two.
    pub size: SegNextSize,
    /// Channels of the first stage, a multiple of 4, 32 or 64 in the paper; all others scale with it.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout rate before the last layer, 0.1 in the published training.
    pub dropout: f32,
    /// Largest rate of stochastic depth in the encoder's blocks.
    pub drop_path: f32,
}

/// Channels of the stages as multiples of the width, and of the layers in the blocks as multiples of these.
const STAGES: [(usize, usize); 4] = [(1, 8), (2, 8), (5, 4), (8, 4)];

/// Lengths of the strips.
const STRIPS: [usize; 3] = [7, 11, 21];

/// Initial factors of the residual branches.
const SCALE: f32 = 1e-2;

const LAYER_EPS: f32 = 1e-5;

/// Most groups of the group norms.
const GROUPS: usize = 32;

const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

impl SegNext {
    /// Smallest height and width: five halvings must leave a pixel.
    pub const SMALLEST: usize = 32;
    /// Largest rate of stochastic depth in the published training.
    pub const DROP_PATH: f32 = 0.1;

    /// Blocks of each stage, and channels of the decoder as a multiple of the width.
    fn depths(&self) -> ([usize; 4], usize) {
        match self.size {
            SegNextSize::T => ([3, 3, 5, 2], 8),
            SegNextSize::S => ([2, 2, 4, 2], 4),
        }
    }

    /// MSCAN's maps at strides 4, 8, 16 and 32 (figure 2, table 2).
    fn encoder(&self, g: &mut Graph) -> Result<[NodeId; 4], GraphError> {
        let (depths, _) = self.depths();
        let (last, mut count) = (depths.iter().sum::<usize>() - 1, 0);
        let mut x = g.input();
        let mut maps = [x; 4];
        for (stage, (factor, widening)) in STAGES.into_iter().enumerate() {
            let (number, channels) = (stage + 1, factor * self.width);
            let down = Conv2d::new(channels, 3).stride(2).padding(1);
            let name = format!("backbone.patch_embed{number}");
            if stage == 0 {
                let half = Conv2d { out_channels: channels / 2, ..down };
                x = conv(g, &format!("{name}.proj.0"), x, &half)?;
                x = g.batch_norm(&format!("{name}.proj.1"), x)?;
                x = g.activate(x, Pointwise::Gelu)?;
                x = conv(g, &format!("{name}.proj.3"), x, &down)?;
                x = g.batch_norm(&format!("{name}.proj.4"), x)?;
            } else {
                x = conv(g, &format!("{name}.proj"), x, &down)?;
                x = g.batch_norm(&format!("{name}.norm"), x)?;
            }
            for block in 0..depths[stage] {
                let name = format!("backbone.block{number}.{block}");
                let y = g.batch_norm(&format!("{name}.norm1"), x)?;
                let y = attention(g, &format!("{name}.attn"), y)?;
                let y = g.scale(&format!("{name}.layer_scale_1"), y, SCALE)?;
                let y = drop_path(g, y, self.drop_path, count, last)?;
                x = g.add(x, y)?;
                let y = g.batch_norm(&format!("{name}.norm2"), x)?;
                let y = mlp(g, &format!("{name}.mlp"), y, widening)?;
                let y = g.scale(&format!("{name}.layer_scale_2"), y, SCALE)?;
                let y = drop_path(g, y, self.drop_path, count, last)?;
                x = g.add(x, y)?;
                count += 1;
            }
            x = g.layer_norm(&format!("backbone.norm{number}"), x, LAYER_EPS)?;
            maps[stage] = x;
        }
        Ok(maps)
    }
}

impl Network for SegNext {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("segnext", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        let [_, finest, middle, coarsest] = self.encoder(g)?;
        // Figure 3(c).
        let channels = self.depths().1 * self.width;
        let middle = g.resize(middle, finest, BILINEAR)?;
        let coarsest = g.resize(coarsest, finest, BILINEAR)?;
        let x = g.concat(&[finest, middle, coarsest])?;
        let x = normed(g, "decode_head.squeeze", x, channels)?;
        let x = g.relu(x)?;
        let y = non_local(g, "decode_head.attention", x)?;
        let x = g.add(x, y)?;
        let x = g.relu(x)?;
        let x = normed(g, "decode_head.align", x, channels)?;
        let x = g.relu(x)?;
        let x = if self.dropout > 0.0 { g.dropout(x, self.dropout)? } else { x };
        g.use_conv_init(ConvInit::Normal(0.01));
        let x = g.conv2d("decode_head.conv_seg", x, &Conv2d::new(self.logits, 1))?;
        let image = g.input();
        let x = g.resize(x, image, BILINEAR)?;
        g.output("logits", x)?;
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// Figure 2(b) and equations 1 and 2: the map times weights from convolutions of strips of three lengths; plus the map itself.
fn attention(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let dense = Conv2d::new(channels, 1);
    let gating = |part: &str| format!("{name}.spatial_gating_unit.{part}");
    let u = conv(g, &format!("{name}.proj_1"), x, &dense)?;
    let u = g.activate(u, Pointwise::Gelu)?;
    let near = conv(g, &gating("conv0"), u, &Conv2d::new(channels, 5).padding(2).groups(channels))?;
    let mut sum = near;
    for (index, length) in STRIPS.into_iter().enumerate() {
        let strip = |kernel: [usize; 2]| Conv2d {
            kernel,
            padding: kernel.map(|extent| extent / 2),
            ..Conv2d::new(channels, 1).groups(channels)
        };
        let y = conv(g, &gating(&format!("conv{index}_1")), near, &strip([1, length]))?;
        let y = conv(g, &gating(&format!("conv{index}_2")), y, &strip([length, 1]))?;
        sum = g.add(sum, y)?;
    }
    let weights = conv(g, &gating("conv3"), sum, &dense)?;
    let y = g.mul(u, weights)?;
    let y = conv(g, &format!("{name}.proj_2"), y, &dense)?;
    g.add(y, x)
}

/// Two layers with a depthwise convolution between them.
fn mlp(g: &mut Graph, name: &str, x: NodeId, widening: usize) -> Result<NodeId, GraphError> {
    let (channels, wide) = (g.shape(x).c, widening * g.shape(x).c);
    let x = conv(g, &format!("{name}.fc1"), x, &Conv2d::new(wide, 1))?;
    let x = conv(g, &format!("{name}.dwconv.dwconv"), x, &Conv2d::new(wide, 3).padding(1).groups(wide))?;
    let x = g.activate(x, Pointwise::Gelu)?;
    conv(g, &format!("{name}.fc2"), x, &Conv2d::new(channels, 1))
}

/// What each pixel takes from all others, in half of the channels.
fn non_local(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let half = Conv2d::new((channels / 2).max(1), 1);
    let query = conv(g, &format!("{name}.query"), x, &half)?;
    let key = conv(g, &format!("{name}.key"), x, &half)?;
    let value = conv(g, &format!("{name}.value"), x, &half)?;
    let y = g.attention(query, key, value, 1)?;
    normed(g, &format!("{name}.project"), y, channels)
}

/// 1 x 1 convolution and group norm.
fn normed(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let x = conv(g, &format!("{name}.conv"), x, &Conv2d::new(out, 1).bias(false))?;
    g.group_norm(&format!("{name}.gn"), x, common_divisor(GROUPS, out))
}

/// A convolution that starts as in the published code: normal with variance 2 over the fan out of a group.
fn conv(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let fan_out = conv.kernel[0] * conv.kernel[1] * conv.out_channels / conv.groups;
    g.use_conv_init(ConvInit::Normal((2.0 / fan_out as f32).sqrt()));
    g.conv2d(name, x, conv)
}
