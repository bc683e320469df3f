//! The work and memory of a network.

use dapple_graph::{Network, Shape, summary};
use dapple_nets::NetConfig;

use super::machine_facts::MachineFacts;
use crate::error::TrainError;

/// Passes of a step: once forward, twice backward.
pub(super) const PASSES: f64 = 3.0;

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
            seconds: summary::multiply_adds(&graph) as f64 * PASSES
                / (machine.speed * machine.threads as f64),
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
