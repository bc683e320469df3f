//! A network with its parameters on a graphics card.

mod fault;
mod inference;
mod learn;
mod trainer;

pub(crate) use inference::GpuExecutor;
pub(crate) use trainer::GpuTrainer;
