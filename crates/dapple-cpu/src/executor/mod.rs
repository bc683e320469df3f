//! A network with its parameters on this machine's processor.

mod average;
mod fault;
mod inference;
mod learn;
mod pass;
mod plans;
mod profile;
mod trainer;

pub(crate) use inference::CpuExecutor;
pub(crate) use plans::training_memory;
pub use profile::{Busy, Profile, StepTime};
pub(crate) use trainer::CpuTrainer;
