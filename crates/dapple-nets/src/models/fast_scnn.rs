//! Fast-SCNN. Poudel, Liwicki and Cipolla, "Fast-SCNN: Fast Semantic Segmentation Network", BMVC 2019, table 1 and
//! figure 1, <https://arxiv.org/abs/1902.04502>: a real-time network, 1.1 M parameters.
//!
//! Learning to downsample (three layers to stride 8), a global feature extractor of inverted bottlenecks to stride 32 with
//! pyramid pooling, and one addition of both at stride 8.

use crate::blocks::{check_size, conv_bn, unit};
use dapple_graph::{Conv2d, Graph, GraphError, Interpolation, Network, NodeId, Shape};

/// Fast-SCNN with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FastScnn {
    /// Channels of the first layer, 32 in the paper; all others scale with it.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout rate before the last layer, 0.1 in the published training.
    pub dropout: f32,
}

/// The bottlenecks of table 1: output channels in 32nds of the width, blocks, stride of the first. All expand by 6.
const BOTTLENECKS: [(usize, usize, usize); 3] = [(64, 3, 2), (96, 3, 2), (128, 3, 1)];

/// Pixels a side of the pooled maps.
const PYRAMID: [usize; 4] = [1, 2, 3, 6];

const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: true };

impl FastScnn {
    /// Smallest height and width: five halvings must leave a pixel.
    pub const SMALLEST: usize = 32;

    fn scaled(&self, channels: usize) -> usize {
        channels * self.width / 32
    }
}

impl Network for FastScnn {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("fast-scnn", input, Self::SMALLEST)?;
        let mut g = Graph::new(input);
        let image = g.input();
        let first = Conv2d::new(self.scaled(32), 3).stride(2).padding(1);
        let x = unit(&mut g, "downsample.conv", image, &first)?;
        let x = separable(&mut g, "downsample.dsconv1", x, self.scaled(48), 2)?;
        let fine = separable(&mut g, "downsample.dsconv2", x, self.scaled(64), 2)?;

        let mut x = fine;
        for (stage, (channels, blocks, stride)) in BOTTLENECKS.into_iter().enumerate() {
            for block in 0..blocks {
                let name = format!("features.bottleneck{}.{block}", stage + 1);
                let stride = if block == 0 { stride } else { 1 };
                x = bottleneck(&mut g, &name, x, self.scaled(channels), stride)?;
            }
        }
        let x = self.pyramid(&mut g, x)?;
        let x = self.fuse(&mut g, fine, x)?;
        let x = separable(&mut g, "classifier.dsconv1", x, self.scaled(128), 1)?;
        let x = separable(&mut g, "classifier.dsconv2", x, self.scaled(128), 1)?;
        let x = if self.dropout > 0.0 { g.dropout(x, self.dropout)? } else { x };
        let x = g.conv2d("classifier.conv", x, &Conv2d::new(self.logits, 1))?;
        let x = g.resize(x, image, BILINEAR)?;
        g.output("logits", x)?;
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

impl FastScnn {
    /// The feature map concatenated with its means over 1, 4, 9 and 36 windows (PSPNet's module), back to its channels.
    fn pyramid(&self, g: &mut Graph, x: NodeId) -> Result<NodeId, GraphError> {
        let channels = g.shape(x).c;
        let mut parts = vec![x];
        for (index, size) in PYRAMID.into_iter().enumerate() {
            let y = g.adaptive_avg_pool(x, [size, size])?;
            let conv = Conv2d::new(channels / PYRAMID.len(), 1);
            let y = unit(g, &format!("features.pyramid.{index}"), y, &conv)?;
            parts.push(g.resize(y, x, BILINEAR)?);
        }
        let x = g.concat(&parts)?;
        unit(g, "features.pyramid.out", x, &Conv2d::new(channels, 1))
    }

    /// Table 2: the fine map through a 1 x 1 convolution; the coarse one at its size through a dilated depthwise and a
    /// 1 x 1 convolution; their sum.
    fn fuse(&self, g: &mut Graph, fine: NodeId, coarse: NodeId) -> Result<NodeId, GraphError> {
        let channels = self.scaled(128);
        let up = g.resize(coarse, fine, BILINEAR)?;
        let depthwise = Conv2d::new(g.shape(up).c, 3).padding(4).dilation(4).groups(g.shape(up).c);
        let up = unit(g, "fusion.coarse.depthwise", up, &depthwise)?;
        let conv = Conv2d::new(channels, 1);
        let up = conv_bn(g, ["fusion.coarse.conv.0", "fusion.coarse.conv.1"], up, &conv)?;
        let fine = conv_bn(g, ["fusion.fine.0", "fusion.fine.1"], fine, &conv)?;
        let sum = g.add(up, fine)?;
        g.relu(sum)
    }
}

/// Depthwise and 1 x 1 convolution, each with batch norm and ReLU.
fn separable(g: &mut Graph, name: &str, x: NodeId, out: usize, stride: usize) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let depthwise = Conv2d::new(channels, 3).stride(stride).padding(1).groups(channels);
    let x = unit(g, &format!("{name}.depthwise"), x, &depthwise)?;
    unit(g, &format!("{name}.pointwise"), x, &Conv2d::new(out, 1))
}

/// MobileNetV2's inverted bottleneck: expansion by 6, depthwise convolution, linear projection; plus `x` if the shape
/// stays.
fn bottleneck(g: &mut Graph, name: &str, x: NodeId, out: usize, stride: usize) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let expanded = 6 * channels;
    let y = unit(g, &format!("{name}.expand"), x, &Conv2d::new(expanded, 1))?;
    let depthwise = Conv2d::new(expanded, 3).stride(stride).padding(1).groups(expanded);
    let y = unit(g, &format!("{name}.depthwise"), y, &depthwise)?;
    let names = [format!("{name}.project.0"), format!("{name}.project.1")];
    let project = Conv2d::new(out, 1).bias(false);
    let y = conv_bn(g, names.each_ref().map(String::as_str), y, &project)?;
    if stride == 1 && channels == out { g.add(y, x) } else { Ok(y) }
}
