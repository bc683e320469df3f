//! ResUNet. Zhang, Liu and Wang, "Road Extraction by Deep Residual U-Net", IEEE Geoscience and Remote Sensing Letters 2018,
//! figures 1 and 2, table 1, <https://arxiv.org/abs/1711.10684>: a U-Net of three levels whose blocks are residual units with
//! batch norm and ReLU before their convolutions. Strides halve the maps instead of poolings.
//!
//! Shortcuts of units that change the shape are 1 x 1 convolutions. Any image size is allowed: halvings round up, and maps are
//! enlarged to the size of the skip connection, taking the nearest pixels.

use crate::blocks::check_size;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Shape};

/// ResUNet with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResUNet {
    /// Channels of the first level, 64 in the paper; each level doubles them.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
}

impl ResUNet {
    /// Smallest height and width.
    pub const SMALLEST: usize = 1;
}

impl Network for ResUNet {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("resunet", input, Self::SMALLEST)?;
        let mut graph = Graph::new(input);
        let g = &mut graph;
        g.use_conv_init(ConvInit::HeFanIn);
        let (image, w) = (g.input(), self.width);
        // The first unit begins with a convolution.
        let y = g.conv2d("encoder.0.conv1", image, &Conv2d::new(w, 3).padding(1))?;
        let y = before(g, "encoder.0", 2, y, &Conv2d::new(w, 3).padding(1))?;
        let x = g.conv2d("encoder.0.shortcut", image, &Conv2d::new(w, 1))?;
        let x1 = g.add(y, x)?;
        let x2 = unit(g, "encoder.1", x1, 2 * w, 2)?;
        let x3 = unit(g, "encoder.2", x2, 4 * w, 2)?;
        let mut x = unit(g, "bridge", x3, 8 * w, 2)?;
        for (level, (skip, channels)) in [(x3, 4 * w), (x2, 2 * w), (x1, w)].into_iter().enumerate() {
            let up = g.resize(x, skip, Interpolation::Nearest)?;
            let joined = g.concat(&[up, skip])?;
            x = unit(g, &format!("decoder.{level}"), joined, channels, 1)?;
        }
        let logits = g.conv2d("head", x, &Conv2d::new(self.logits, 1))?;
        g.output("logits", logits)?;
        Ok(graph)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// Figure 1(b): a residual unit to `out` channels, its first convolution with a stride.
fn unit(g: &mut Graph, name: &str, x: NodeId, out: usize, stride: usize) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(1);
    let y = before(g, name, 1, x, &conv.stride(stride))?;
    let y = before(g, name, 2, y, &conv)?;
    let x = g.conv2d(&format!("{name}.shortcut"), x, &Conv2d::new(out, 1).stride(stride))?;
    g.add(y, x)
}

/// Batch norm, ReLU and a convolution, the `index`-th of a unit.
fn before(g: &mut Graph, name: &str, index: usize, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let x = g.batch_norm(&format!("{name}.norm{index}"), x)?;
    let x = g.relu(x)?;
    g.conv2d(&format!("{name}.conv{index}"), x, conv)
}
