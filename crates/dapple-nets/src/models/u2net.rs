//! U²-Net. Qin, Zhang, Huang, Dehghan, Zaiane and Jagersand, "U²-Net: Going Deeper with Nested U-Structure
//! for Salient Object Detection", Pattern Recognition 2020, figures 2 and 5, table 1,
//! <https://arxiv.org/abs/2005.09007>.
//!
//! Parameters carry the names of the published `u2net.pth` and `u2netp.pth`. The last convolution gives
//! logits; the published code applies the sigmoid inside the network.

use crate::blocks::{check_size, conv_bn_relu};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, MaxPool, Network, NodeId, Shape};

/// The two sizes of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum U2NetSize {
    /// U²-Net, 44.0 M parameters.
    Full,
    /// U²-Net† ("lite", `u2netp`), 1.13 M parameters.
    Lite,
}

/// U²-Net with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct U2Net {
    /// Column of table 1.
    pub size: U2NetSize,
    /// Output channels of the first stage, 64 in the paper, a multiple of 4; all others scale with it.
    pub width: usize,
    /// Channels of each output: 1 for salient objects, one a class otherwise.
    pub logits: usize,
}

/// A residual U-block's height and channels in 64ths of the width: `(L, M, O)` of figure 2.
#[derive(Clone, Copy)]
struct Block {
    /// `L`, or `None` for RSU-4F, which dilates instead of pooling.
    height: Option<usize>,
    mid: usize,
    out: usize,
}

const fn rsu(height: usize, mid: usize, out: usize) -> Block {
    Block { height: Some(height), mid, out }
}

const fn rsu4f(mid: usize, out: usize) -> Block {
    Block { height: None, mid, out }
}

/// Table 1: En_1 to En_6, then De_5 to De_1.
const FULL: [Block; 11] = [
    rsu(7, 32, 64),
    rsu(6, 32, 128),
    rsu(5, 64, 256),
    rsu(4, 128, 512),
    rsu4f(256, 512),
    rsu4f(256, 512),
    rsu4f(256, 512),
    rsu(4, 128, 256),
    rsu(5, 64, 128),
    rsu(6, 32, 64),
    rsu(7, 16, 64),
];

const LITE: [Block; 11] = [
    rsu(7, 16, 64),
    rsu(6, 16, 64),
    rsu(5, 16, 64),
    rsu(4, 16, 64),
    rsu4f(16, 64),
    rsu4f(16, 64),
    rsu4f(16, 64),
    rsu(4, 16, 64),
    rsu(5, 16, 64),
    rsu(6, 16, 64),
    rsu(7, 16, 64),
];

const HALVE: MaxPool = MaxPool::new(2, 2).ceil(true);
const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

impl Network for U2Net {
    /// Seven outputs `[n, h, w, logits]`: `d0`, fused from the side outputs, then `d1` to `d6` from the
    /// finest to the coarsest. Any input size is allowed, since pooling rounds up.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("u2net", input, 1)?;
        if self.width == 0 || !self.width.is_multiple_of(4) {
            let why = format!("u2net: the width must be a multiple of 4, not {}", self.width);
            return Err(GraphError::Config(why));
        }
        let mut g = Graph::new(input);
        g.use_conv_init(ConvInit::Torch);
        let blocks = match self.size {
            U2NetSize::Full => &FULL,
            U2NetSize::Lite => &LITE,
        };
        let (encoder, decoder) = blocks.split_at(6);

        let mut x = g.input();
        let mut skips = Vec::new();
        for (i, block) in encoder.iter().enumerate() {
            if i > 0 {
                x = g.max_pool(x, &HALVE)?;
            }
            x = self.block(&mut g, &format!("stage{}", i + 1), x, block)?;
            skips.push(x);
        }

        // `levels` ends up as the sources of the side outputs, the coarsest first.
        let mut levels = vec![x];
        for (block, (i, &skip)) in decoder.iter().zip(skips[..5].iter().enumerate().rev()) {
            let up = g.resize(x, skip, BILINEAR)?;
            let joined = g.concat(&[up, skip])?;
            x = self.block(&mut g, &format!("stage{}d", i + 1), joined, block)?;
            levels.push(x);
        }

        let image = g.input();
        let mut sides = Vec::new();
        for (i, &level) in levels.iter().rev().enumerate() {
            let conv = Conv2d::new(self.logits, 3).padding(1);
            let side = g.conv2d(&format!("side{}", i + 1), level, &conv)?;
            sides.push(if i == 0 { side } else { g.resize(side, image, BILINEAR)? });
        }
        let joined = g.concat(&sides)?;
        let fused = g.conv2d("outconv", joined, &Conv2d::new(self.logits, 1))?;
        g.output("d0", fused)?;
        for (i, &side) in sides.iter().enumerate() {
            g.output(&format!("d{}", i + 1), side)?;
        }
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

impl U2Net {
    /// A residual U-block: `x' = F(x)`, then `U(x') + x'`.
    fn block(&self, g: &mut Graph, name: &str, x: NodeId, block: &Block) -> Result<NodeId, GraphError> {
        let scaled = |channels: usize| channels * self.width / 64;
        let (mid, out) = (scaled(block.mid), scaled(block.out));
        let x = layer(g, &format!("{name}.rebnconvin"), x, out, 1)?;
        let u = match block.height {
            Some(height) => rsu_body(g, name, x, height, mid, out)?,
            None => rsu4f_body(g, name, x, mid, out)?,
        };
        g.add(u, x)
    }
}

/// RSU-L, figure 2(e): a U-Net of L levels whose lowest one dilates by 2 instead of pooling.
fn rsu_body(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    height: usize,
    mid: usize,
    out: usize,
) -> Result<NodeId, GraphError> {
    let mut levels = vec![layer(g, &format!("{name}.rebnconv1"), x, mid, 1)?];
    for level in 2..height {
        let pooled = g.max_pool(levels[level - 2], &HALVE)?;
        levels.push(layer(g, &format!("{name}.rebnconv{level}"), pooled, mid, 1)?);
    }
    let mut x = layer(g, &format!("{name}.rebnconv{height}"), levels[height - 2], mid, 2)?;
    for level in (1..height).rev() {
        let skip = levels[level - 1];
        if g.shape(x) != g.shape(skip) {
            x = g.resize(x, skip, BILINEAR)?;
        }
        let joined = g.concat(&[x, skip])?;
        x = layer(g, &format!("{name}.rebnconv{level}d"), joined, if level == 1 { out } else { mid }, 1)?;
    }
    Ok(x)
}

/// RSU-4F: four levels at one size, dilated by 1, 2, 4 and 8.
fn rsu4f_body(g: &mut Graph, name: &str, x: NodeId, mid: usize, out: usize) -> Result<NodeId, GraphError> {
    let x1 = layer(g, &format!("{name}.rebnconv1"), x, mid, 1)?;
    let x2 = layer(g, &format!("{name}.rebnconv2"), x1, mid, 2)?;
    let x3 = layer(g, &format!("{name}.rebnconv3"), x2, mid, 4)?;
    let x4 = layer(g, &format!("{name}.rebnconv4"), x3, mid, 8)?;
    let x = g.concat(&[x4, x3])?;
    let x = layer(g, &format!("{name}.rebnconv3d"), x, mid, 4)?;
    let x = g.concat(&[x, x2])?;
    let x = layer(g, &format!("{name}.rebnconv2d"), x, mid, 2)?;
    let x = g.concat(&[x, x1])?;
    layer(g, &format!("{name}.rebnconv1d"), x, out, 1)
}

/// 3 x 3 convolution with dilation, batch norm, ReLU ("REBNCONV").
fn layer(g: &mut Graph, name: &str, x: NodeId, out: usize, dilation: usize) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(dilation).dilation(dilation);
    conv_bn_relu(g, [&format!("{name}.conv_s1"), &format!("{name}.bn_s1")], x, &conv)
}
