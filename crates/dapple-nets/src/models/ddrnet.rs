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

use super::dual_resolution::{BILINEAR, Pyramid, basic_blocks, bottleneck, head, pair, pyramid};
use crate::blocks::{check_size, conv_bn_relu};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Network, NodeId, Shape};

/// DDRNet-23-slim with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DdrNet {
    /// Channels of the first stage, 32 in the slim network; all others scale with it.
    pub width: usize,
    /// Channels of each output.
    pub logits: usize,
}

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
        let x = basic_blocks(g, "layer1", x, width, 1, 2)?;
        let x = g.relu(x)?;
        let x = basic_blocks(g, "layer2", x, 2 * width, 2, 2)?;

        let x = g.relu(x)?;
        let low = basic_blocks(g, "layer3", x, 4 * width, 2, 2)?;
        let high = basic_blocks(g, "layer3_", x, 2 * width, 1, 2)?;
        let (low, high) = exchange(g, low, high, "compression3", &[("down3", 0, 4 * width)])?;
        let early = high;

        let (x, y) = (g.relu(low)?, g.relu(high)?);
        let low = basic_blocks(g, "layer4", x, 8 * width, 2, 2)?;
        let high = basic_blocks(g, "layer4_", y, 2 * width, 1, 2)?;
        let steps = [("down4", 0, 4 * width), ("down4", 3, 8 * width)];
        let (low, high) = exchange(g, low, high, "compression4", &steps)?;

        let (x, y) = (g.relu(low)?, g.relu(high)?);
        let high = bottleneck(g, "layer5_.0", y, 2 * width, 1)?;
        let low = bottleneck(g, "layer5.0", x, 8 * width, 2)?;
        let low = pyramid(g, Pyramid::Deep, low, 4 * width, 4 * width)?;
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
        let x = head(g, name, x, 2 * self.width, self.logits)?;
        g.resize(x, g.input(), BILINEAR)
    }
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
        onto_low = pair(g, name, index, onto_low, &Conv2d::new(channels, 3).stride(2).padding(1))?;
    }
    let x = g.relu(low)?;
    let channels = g.shape(high).c;
    let x = pair(g, compression, 0, x, &Conv2d::new(channels, 1))?;
    let onto_high = g.resize(x, high, BILINEAR)?;
    Ok((g.add(low, onto_low)?, g.add(high, onto_high)?))
}
