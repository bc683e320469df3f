//! A network with its parameters on a device of libtorch.

mod average;
mod fault;
mod inference;
mod learn;
mod trainer;

pub(crate) use inference::TorchExecutor;
pub(crate) use trainer::TorchTrainer;
