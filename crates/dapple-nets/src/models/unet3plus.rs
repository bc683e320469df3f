//! U-Net 3+. Huang, Lin, Tong, Hu, Zhang, Iwamoto, Han, Chen and Wu, "UNet 3+: A Full-Scale Connected UNet for Medical Image
//! Segmentation", ICASSP 2020, figures 1 and 2, sections 2.1 and 2.2, <https://arxiv.org/abs/2004.08790>.
//!
//! Every level of the decoder takes the maps of all levels: finer ones pooled, coarser ones of the decoder enlarged, each
//! through a convolution to as many channels as the first level has. In training, all five levels learn the labels (deep
//! supervision). The classification that suppresses empty classes (section 2.3) is left out.
//!
//! Parameters have the names of the authors' code. Poolings round down, so that any image size is allowed.

use crate::blocks::{check_size, conv_bn_relu};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, MaxPool, Network, NodeId, Shape};

/// U-Net 3+ with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UNet3Plus {
    /// Channels of the first level, 64 in the paper; each of the four pooling steps doubles them.
    pub width: usize,
    /// Channels of each output.
    pub logits: usize,
}

/// Levels.
const LEVELS: usize = 5;

const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

impl UNet3Plus {
    /// Smallest height and width: four halvings must leave a pixel.
    pub const SMALLEST: usize = 16;

    /// A level of the decoder, counted from 1, from those of the encoder up to it and those of the decoder below it.
    fn level(
        &self,
        g: &mut Graph,
        level: usize,
        encoder: &[NodeId],
        decoder: &[NodeId],
    ) -> Result<NodeId, GraphError> {
        let own = encoder[level - 1];
        let mut parts = Vec::new();
        for (from, &map) in (1..).zip(encoder) {
            let (name, x) = if from < level {
                let factor = 1 << (level - from);
                (format!("h{from}_PT_hd{level}"), g.max_pool(map, &MaxPool::new(factor, factor))?)
            } else {
                (format!("h{from}_Cat_hd{level}"), map)
            };
            parts.push(layer(g, &name, x, self.width)?);
        }
        for (from, &map) in (level + 1..).zip(decoder) {
            let x = g.resize(map, own, BILINEAR)?;
            parts.push(layer(g, &format!("hd{from}_UT_hd{level}"), x, self.width)?);
        }
        let x = g.concat(&parts)?;
        let conv = Conv2d::new(LEVELS * self.width, 3).padding(1);
        conv_bn_relu(g, [&format!("conv{level}d_1"), &format!("bn{level}d_1")], x, &conv)
    }
}

impl Network for UNet3Plus {
    /// Five outputs `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 16 x 16, from the finest level to the coarsest.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("unet3plus", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanIn);
        let image = g.input();
        let (mut x, mut encoder) = (image, Vec::new());
        for level in 0..LEVELS {
            if level > 0 {
                x = g.max_pool(x, &MaxPool::new(2, 2))?;
            }
            let conv = Conv2d::new(self.width << level, 3).padding(1);
            for index in 1..=2 {
                let name = format!("conv{}.conv{index}", level + 1);
                x = conv_bn_relu(g, [&format!("{name}.0"), &format!("{name}.1")], x, &conv)?;
            }
            encoder.push(x);
        }
        // The decoder's levels, the finest first; its coarsest is the encoder's.
        let mut decoder = vec![x];
        for level in (1..LEVELS).rev() {
            let x = self.level(g, level, &encoder[..level], &decoder)?;
            decoder.insert(0, x);
        }
        for (level, &x) in (1..).zip(&decoder) {
            let x = g.conv2d(&format!("outconv{level}"), x, &Conv2d::new(self.logits, 3).padding(1))?;
            let x = if level == 1 { x } else { g.resize(x, image, BILINEAR)? };
            g.output(&format!("d{level}"), x)?;
        }
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// 3 x 3 convolution, batch norm, ReLU.
fn layer(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(1);
    conv_bn_relu(g, [&format!("{name}_conv"), &format!("{name}_bn")], x, &conv)
}
