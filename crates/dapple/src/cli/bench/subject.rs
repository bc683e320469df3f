//! A network on a device, to be timed.

use dapple::graph::{Executor, Graph, State, Tensor, Trainer, summary};

/// A network on a device.
pub enum Runner {
    Infer(Box<dyn Executor>),
    Train(Box<dyn Trainer>),
}

impl Runner {
    pub fn state(&self) -> State {
        match self {
            Self::Infer(executor) => executor.state(),
            Self::Train(trainer) => trainer.state(),
        }
    }
}

/// A network on a device, with its measurements.
pub struct Subject {
    pub device: String,
    pub runner: Runner,
    /// Losses of training steps.
    pub losses: Vec<f32>,
    /// Of the first inference.
    pub output: Option<Tensor>,
    pub seconds: Vec<f64>,
}

/// Multiply-adds of the plain definition, twice, in units of 10^9: of a pass, or of a training step, which is three.
pub fn giga_operations(graph: &Graph, train: bool) -> f64 {
    let passes = if train { 3.0 } else { 1.0 };
    2.0 * passes * summary::multiply_adds(graph) as f64 / 1e9
}
