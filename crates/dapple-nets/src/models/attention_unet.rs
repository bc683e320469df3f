//! Attention U-Net. Oktay, Schlemper, Le Folgoc et al., "Attention U-Net: Learning Where to Look for the Pancreas", MIDL 2018,
//! figures 1 and 2, section 3, <https://arxiv.org/abs/1804.03999>: a U-Net in which additive attention gates weight the skip
//! connections.
//!
//! A gate reads the skip connection through a 2 x 2 convolution of stride 2 and the coarser level below it through a 1 x 1
//! convolution; its weights are enlarged bilinearly. The first skip connection has no gate, since its features are too simple to be
//! compared (section 3). All else is that of [`super::UNet`]; the paper's three-dimensional convolutions are two-dimensional here.

use super::unet::{UNet, UpSampling, double_conv, down};
use crate::blocks::check_size;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Pointwise, Shape};

/// Attention U-Net with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionUNet {
    /// Channels of the first level, 64 as in U-Net; each of the four pooling steps doubles them.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
}

impl AttentionUNet {
    /// Smallest height and width: four halvings must leave a pixel.
    pub const SMALLEST: usize = UNet::SMALLEST;
}

impl Network for AttentionUNet {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 16 x 16.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("attention-unet", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::Torch);
        let w = self.width;
        let unet = UNet { width: w, logits: self.logits, up: UpSampling::Transposed };
        let image = g.input();
        let x1 = double_conv(g, "inc", image, w, w)?;
        let x2 = down(g, "down1", x1, 2 * w)?;
        let x3 = down(g, "down2", x2, 4 * w)?;
        let x4 = down(g, "down3", x3, 8 * w)?;
        let mut x = down(g, "down4", x4, 16 * w)?;
        for (level, (skip, channels)) in
            [(x4, 8 * w), (x3, 4 * w), (x2, 2 * w), (x1, w)].into_iter().enumerate()
        {
            let skip = if level < 3 { gated(g, &format!("gate{}", level + 1), skip, x)? } else { skip };
            x = unet.up(g, &format!("up{}", level + 1), x, skip, channels)?;
        }
        let logits = g.conv2d("outc.conv", x, &Conv2d::new(self.logits, 1))?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// Figure 2: `x` times the weights that the level below it, of half its size, gives its pixels, through a 1 x 1 convolution.
fn gated(g: &mut Graph, name: &str, x: NodeId, below: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let inner = (channels / 2).max(1);
    let theta = Conv2d::new(inner, 2).stride(2).bias(false);
    let own = g.conv2d(&format!("{name}.theta"), x, &theta)?;
    let other = g.conv2d(&format!("{name}.phi"), below, &Conv2d::new(inner, 1))?;
    let sum = g.add(own, other)?;
    let sum = g.relu(sum)?;
    let weights = g.conv2d(&format!("{name}.psi"), sum, &Conv2d::new(1, 1))?;
    let weights = g.activate(weights, Pointwise::Sigmoid)?;
    let weights = g.resize(weights, x, Interpolation::Bilinear { align_corners: false })?;
    // One channel, repeated.
    let weights = g.channel_sum(weights, channels)?;
    let x = g.mul(x, weights)?;
    let x = g.conv2d(&format!("{name}.out.0"), x, &Conv2d::new(channels, 1))?;
    g.batch_norm(&format!("{name}.out.1"), x)
}
