//! A rank's part of the batches.

use dapple_graph::Joint;

use crate::error::TrainError;
use crate::fit::setup::Setup;

/// How a rank learns its part of a batch.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// It has all of it.
    Whole,
    /// The engine itself learns the whole batch with the other ranks.
    Joint(Joint),
    /// The engine knows nothing of other ranks: losses are weighed by their divisors, batch norms are each rank's own, and
    /// dropout draws from a seed of each rank.
    Weighed,
}

/// Refuses a division of batches among ranks that leaves one of them without images, and images without labels, which one
/// process alone learns from.
pub(super) fn check_ranks(setup: &Setup, ranks: usize, batch: usize) -> Result<(), TrainError> {
    if batch < ranks {
        return Err(TrainError::Config(format!(
            "a batch of {batch} images cannot be divided among {ranks} processes; give a larger one (--batch), or start fewer"
        )));
    }
    if ranks > 1 && setup.unlabelled.is_some() {
        return Err(TrainError::Config(
            "images without labels are learned from by one process alone; leave `unlabelled` out, or start one process".into(),
        ));
    }
    Ok(())
}
