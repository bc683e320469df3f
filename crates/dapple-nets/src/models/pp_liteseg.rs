//! PP-LiteSeg-T and B. Peng, Liu, Tang, Hao, Chu, Chen, Wu, Chen, Yu, Du, Dang, Lai, Liu, Hu, Yu and Ma, "PP-LiteSeg: A Superior
//! Real-Time Semantic Segmentation Model", 2022, figures 2 to 5, table 1, <https://arxiv.org/abs/2204.02681>, on the encoders
//! STDC1 and STDC2 (Fan et al., "Rethinking BiSeNet for Real-time Semantic Segmentation", CVPR 2021, figures 3 and 4, table 2,
//! <https://arxiv.org/abs/2104.13188>).
//!
//! A decoder whose channels become fewer towards the image, a pyramid whose levels are added, and fusions in which a weight of each
//! pixel chooses between the fine and the coarse map. The weights come from the sums over the channels of both maps; the paper
//! also takes their maxima, which are not among the operations here, and means, which are sums up to a factor. In training,
//! the decoder's maps at strides 16 and 32 learn the labels too.
//!
//! The encoder's parameters have the names of STDC's checkpoints below `backbone.`. Any image size is allowed, since halvings round
//! up.

use crate::blocks::{check_size, conv_bn, conv_bn_relu};
use dapple_graph::{
    AvgPool, Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Pointwise, Shape,
};

/// The sizes of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PpLiteSegSize {
    /// On STDC1, with a narrow decoder.
    T,
    /// On STDC2.
    B,
}

/// PP-LiteSeg with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpLiteSeg {
    /// Which of the two.
    pub size: PpLiteSegSize,
    /// Channels of the first layer, 32 in the paper; all others scale with it.
    pub width: usize,
    /// Channels of each output.
    pub logits: usize,
}

/// Pixels a side of the pooled maps.
const PYRAMID: [usize; 3] = [1, 2, 4];

const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

impl PpLiteSeg {
    /// Smallest height and width.
    pub const SMALLEST: usize = 1;

    /// Blocks of the encoder's last three stages.
    fn blocks(&self) -> [usize; 3] {
        match self.size {
            PpLiteSegSize::T => [2, 2, 2],
            PpLiteSegSize::B => [4, 5, 3],
        }
    }

    /// Channels of the decoder at strides 8, 16 and 32.
    fn channels(&self) -> [usize; 3] {
        match self.size {
            PpLiteSegSize::T => [self.width, 2 * self.width, 4 * self.width],
            PpLiteSegSize::B => [2 * self.width, 3 * self.width, 4 * self.width],
        }
    }

    /// The encoder's maps at strides 8, 16 and 32.
    fn encoder(&self, g: &mut Graph) -> Result<[NodeId; 3], GraphError> {
        let mut x = g.input();
        for index in 0..2 {
            let conv = Conv2d::new(self.width << index, 3).stride(2).padding(1);
            x = layer(g, &format!("backbone.features.{index}"), x, &conv)?;
        }
        let (mut index, mut maps) = (2, [x; 3]);
        for (stage, blocks) in self.blocks().into_iter().enumerate() {
            for block in 0..blocks {
                let (name, stride) = (format!("backbone.features.{index}"), if block == 0 { 2 } else { 1 });
                x = concatenating(g, &name, x, self.width << (stage + 3), stride)?;
                index += 1;
            }
            maps[stage] = x;
        }
        Ok(maps)
    }

    /// Figure 5, the simple pyramid pooling: the means over 1, 4 and 16 windows, added at the map's size.
    fn pyramid(&self, g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let channels = 4 * self.width;
        let mut sum = None;
        for (index, side) in PYRAMID.into_iter().enumerate() {
            let y = g.adaptive_avg_pool(x, [side; 2])?;
            let y = layer(g, &format!("{name}.stages.{index}"), y, &Conv2d::new(channels, 1))?;
            let y = g.resize(y, x, BILINEAR)?;
            sum = Some(match sum {
                Some(sum) => g.add(sum, y)?,
                None => y,
            });
        }
        let sum = sum.unwrap_or(x);
        layer(g, &format!("{name}.conv_out"), sum, &Conv2d::new(channels, 3).padding(1))
    }
}

impl Network for PpLiteSeg {
    /// Three outputs `[n, h, w, logits]` for an input `[n, h, w, c]` of any size: the logits, then those of the decoder's maps at
    /// strides 16 and 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("pp-liteseg", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanOut);
        let maps = self.encoder(g)?;
        let mut x = self.pyramid(g, "context", maps[2])?;
        let mut levels = maps;
        for (index, (&map, channels)) in maps.iter().zip(self.channels()).enumerate().rev() {
            x = fuse(g, &format!("fusions.{index}"), map, x, channels)?;
            levels[index] = x;
        }
        let inner = match self.size {
            PpLiteSegSize::T => self.width,
            PpLiteSegSize::B => 2 * self.width,
        };
        let image = g.input();
        for (index, (output, level)) in ["logits", "aux16", "aux32"].into_iter().zip(levels).enumerate() {
            let name = format!("heads.{index}");
            let y = layer(g, &format!("{name}.conv"), level, &Conv2d::new(inner, 3).padding(1))?;
            let y = g.conv2d(&format!("{name}.classifier"), y, &Conv2d::new(self.logits, 1).bias(false))?;
            let y = g.resize(y, image, BILINEAR)?;
            g.output(output, y)?;
        }
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// STDC's block (its figure 3): four layers of growing receptive field and shrinking width, concatenated.
fn concatenating(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    out: usize,
    stride: usize,
) -> Result<NodeId, GraphError> {
    let part = |index: usize| format!("{name}.conv_list.{index}");
    let first = layer(g, &part(0), x, &Conv2d::new(out / 2, 1))?;
    let (first, y) = if stride == 2 {
        let down = Conv2d::new(out / 2, 3).stride(2).padding(1).groups(out / 2).bias(false);
        let names = [format!("{name}.avd_layer.0"), format!("{name}.avd_layer.1")];
        let y = conv_bn(g, names.each_ref().map(String::as_str), first, &down)?;
        (g.avg_pool(first, &AvgPool::new(3, 2).padding(1))?, y)
    } else {
        (first, first)
    };
    let second = layer(g, &part(1), y, &Conv2d::new(out / 4, 3).padding(1))?;
    let third = layer(g, &part(2), second, &Conv2d::new(out / 8, 3).padding(1))?;
    let fourth = layer(g, &part(3), third, &Conv2d::new(out / 8, 3).padding(1))?;
    g.concat(&[first, second, third, fourth])
}

/// Figure 4(a), the attention of pixels: `weight fine + (1 - weight) coarse`, then a convolution to `out` channels.
fn fuse(g: &mut Graph, name: &str, fine: NodeId, coarse: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let channels = g.shape(coarse).c;
    let fine = layer(g, &format!("{name}.conv_x"), fine, &Conv2d::new(channels, 3).padding(1))?;
    let coarse = g.resize(coarse, fine, BILINEAR)?;
    let sums = [g.channel_sum(fine, 1)?, g.channel_sum(coarse, 1)?];
    let y = g.concat(&sums)?;
    let y = layer(g, &format!("{name}.conv_xy_atten.0"), y, &Conv2d::new(2, 3).padding(1))?;
    let names = names(&format!("{name}.conv_xy_atten.1"));
    let conv = Conv2d::new(1, 3).padding(1).bias(false);
    let y = conv_bn(g, names.each_ref().map(String::as_str), y, &conv)?;
    let y = g.activate(y, Pointwise::Sigmoid)?;
    // One channel, repeated.
    let weight = g.channel_sum(y, channels)?;
    let difference = g.subtract(fine, coarse)?;
    let difference = g.mul(difference, weight)?;
    let x = g.add(coarse, difference)?;
    layer(g, &format!("{name}.conv_out"), x, &Conv2d::new(out, 3).padding(1))
}

/// Convolution without bias, batch norm and ReLU.
fn layer(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn_relu(g, names(name).each_ref().map(String::as_str), x, &conv.bias(false))
}

fn names(name: &str) -> [String; 2] {
    [format!("{name}.conv"), format!("{name}.bn")]
}
