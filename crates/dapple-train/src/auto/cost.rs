//! The work and memory of a network.

use dapple_graph::{Graph, Network, Node, Op, Shape, summary};
use dapple_nets::NetConfig;

use super::machine_facts::MachineFacts;
use crate::error::TrainError;

/// Passes of a step: once forward, twice backward.
pub(super) const PASSES: f64 = 3.0;

/// Time of a multiply-add over that of one in a 3 x 3 convolution of stride 1: in other products, which are smaller or
/// gather their rows, and in depthwise convolutions.
const PRODUCT: f64 = 2.0;
const DEPTHWISE: f64 = 7.0;
/// Time of passing over a value of a feature map (norms, activations, sums, copies), in such multiply-adds.
const VALUE: f64 = 50.0;

/// The cost of a network for one image.
pub(super) struct Cost {
    /// Seconds of a training step.
    pub seconds: f64,
    /// Values of all feature maps.
    values: usize,
    parameters: usize,
}

impl Cost {
    /// The cost for inputs of this height and width.
    pub fn of(
        network: &NetConfig,
        (height, width): (usize, usize),
        machine: &MachineFacts,
    ) -> Result<Self, TrainError> {
        let graph = network.build(Shape::new(1, height, width, network.in_channels))?;
        Ok(Self {
            seconds: work(&graph) * PASSES / (machine.speed * machine.threads as f64),
            values: graph.nodes().iter().map(|node| node.shape.len()).sum(),
            parameters: graph.trainable_len(),
        })
    }

    /// Bytes that are kept between steps: parameters, gradients, the optimizer's two copies and the average.
    pub fn kept(&self) -> f64 {
        5.0 * 4.0 * self.parameters as f64
    }

    /// Bytes of an image's feature maps and their gradients.
    pub fn of_image(&self) -> f64 {
        2.0 * 4.0 * self.values as f64
    }
}

/// The work of a pass, in multiply-adds of 3 x 3 convolutions. The factors are those of `dapple bench unet-efficientnet-lite0
/// --batch 4 --train --layers`: networks of many small steps take up to three times as long as their multiply-adds say.
fn work(graph: &Graph) -> f64 {
    graph.nodes().iter().map(|node| node_work(graph, node)).sum()
}

fn node_work(graph: &Graph, node: &Node) -> f64 {
    let factor = match &node.op {
        Op::Conv2d { conv, .. } if conv.groups > 1 => DEPTHWISE,
        Op::Conv2d { conv, .. } if conv.kernel == [3, 3] && conv.stride == [1, 1] => 1.0,
        Op::Conv2d { .. } | Op::ConvTranspose2d { .. } | Op::Attention { .. } => PRODUCT,
        _ => return VALUE * node.shape.len() as f64,
    };
    factor * summary::node_multiply_adds(graph, node) as f64
}
