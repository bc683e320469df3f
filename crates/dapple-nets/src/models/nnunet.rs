//! nnU-Net's residual-encoder U-Net. Isensee, Wald, Ulrich, Baumgartner, Roy, Maier-Hein and Jäger, "nnU-Net Revisited: A Call
//! for Rigorous Validation in 3D Medical Image Segmentation", MICCAI 2024, section 2, <https://arxiv.org/abs/2404.09556>, after
//! Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", Nature
//! Methods 2021, <https://doi.org/10.1038/s41592-020-01008-z>: an encoder of residual blocks, a decoder of one convolution a
//! level, instance norm, and logits at every level in training (deep supervision).
//!
//! nnU-Net plans depth and widths from the data; this is its two-dimensional plan for images of about 256 x 256: six levels with 1,
//! 3, 4, 6, 6 and 6 blocks. ReLU stands for its leaky ReLU of slope 0.01. The weight of its coarsest logits is zero; they are left
//! out. Its labels shrink to the size of the logits; here the logits grow to that of the labels. The image is padded to
//! multiples of 32.
//!
//! Parameters have the names of nnU-Net's modules.

use crate::blocks::{check_size, padded};
use dapple_graph::{
    AvgPool, Conv2d, ConvInit, ConvTranspose2d, Graph, GraphError, Interpolation, Network, NodeId, Shape,
};

/// nnU-Net's residual-encoder U-Net with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NnUNet {
    /// Channels of the first level, 32 in the paper; each level doubles them, up to the factor 16.
    pub width: usize,
    /// Channels of each output.
    pub logits: usize,
}

/// Channels of the levels as multiples of the width, and blocks of the encoder.
const LEVELS: [(usize, usize); 6] = [(1, 1), (2, 3), (4, 4), (8, 6), (16, 6), (16, 6)];

impl NnUNet {
    /// Smallest height and width: five halvings must leave a pixel.
    pub const SMALLEST: usize = 32;
}

impl Network for NnUNet {
    /// Four outputs `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32, from the finest level to the coarsest.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("nnunet-resenc", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanIn);
        let image = padded(g, LEVELS.len() - 1)?;
        let x = normed(g, "encoder.stem.convs.0", image, &Conv2d::new(self.width, 3).padding(1))?;
        let mut x = g.relu(x)?;
        let mut skips = Vec::new();
        for (level, (factor, blocks)) in LEVELS.into_iter().enumerate() {
            for block in 0..blocks {
                let stride = if level > 0 && block == 0 { 2 } else { 1 };
                let name = format!("encoder.stages.{level}.blocks.{block}");
                x = residual(g, &name, x, factor * self.width, stride)?;
            }
            skips.push(x);
        }
        // Without the deepest, from the coarsest to the finest.
        skips.pop();
        let mut logits = Vec::new();
        for (step, &skip) in skips.iter().rev().enumerate() {
            let channels = g.shape(skip).c;
            let up = ConvTranspose2d::new(channels, 2, 2);
            let up = g.conv_transpose2d(&format!("decoder.transpconvs.{step}"), x, &up)?;
            let joined = g.concat(&[up, skip])?;
            let conv = Conv2d::new(channels, 3).padding(1);
            let y = normed(g, &format!("decoder.stages.{step}.convs.0"), joined, &conv)?;
            x = g.relu(y)?;
            if step > 0 {
                let head = Conv2d::new(self.logits, 1);
                logits.push(g.conv2d(&format!("decoder.seg_layers.{step}"), x, &head)?);
            }
        }
        let window = g.input();
        for (level, &coarse) in logits.iter().rev().enumerate() {
            let y = match level {
                0 => coarse,
                _ => g.resize(coarse, image, Interpolation::Bilinear { align_corners: false })?,
            };
            let y = if g.shape(y).with_channels(1) == g.shape(window).with_channels(1) {
                y
            } else {
                g.fit_to(y, window)?
            };
            g.output(&format!("d{level}"), y)?;
        }
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// A residual block of two 3 x 3 convolutions. Where the stride is 2, a mean over 2 x 2 pixels precedes the shortcut.
fn residual(g: &mut Graph, name: &str, x: NodeId, out: usize, stride: usize) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(1);
    let y = normed(g, &format!("{name}.conv1"), x, &conv.stride(stride))?;
    let y = g.relu(y)?;
    let y = normed(g, &format!("{name}.conv2"), y, &conv)?;
    let x = if stride == 2 { g.avg_pool(x, &AvgPool::new(2, 2))? } else { x };
    let x = if g.shape(x).c == out {
        x
    } else {
        normed(g, &format!("{name}.skip.1"), x, &Conv2d::new(out, 1).bias(false))?
    };
    let sum = g.add(y, x)?;
    g.relu(sum)
}

/// Convolution and instance norm: a group norm of single channels.
fn normed(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let x = g.conv2d(&format!("{name}.conv"), x, conv)?;
    g.group_norm(&format!("{name}.norm"), x, conv.out_channels)
}
