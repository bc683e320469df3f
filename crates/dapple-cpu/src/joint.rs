//! Sums over ranks that learn from one batch together.
//!
//! Kernels return no errors: the first one is kept, and the pass that the kernel belongs to returns it.

use dapple_base::RanksError;
use dapple_graph::{Joint, Shape};
use std::sync::{Mutex, PoisonError};

/// A trainer's place among the ranks.
#[derive(Debug)]
pub(crate) struct Joined {
    joint: Joint,
    failure: Mutex<Option<RanksError>>,
}

impl Joined {
    pub fn new(joint: Joint) -> Self {
        Self { joint, failure: Mutex::new(None) }
    }

    /// Whether batch norms take the statistics of the whole batch.
    pub fn norms(&self) -> bool {
        self.joint.norms
    }

    /// Images of the batch before this rank's.
    pub fn first(&self) -> usize {
        self.joint.first
    }

    /// Pixels of the whole batch's map, of which `own` is this rank's part.
    pub fn pixels(&self, own: Shape) -> usize {
        self.joint.images * own.h * own.w
    }

    /// Replaces each value by its sum over the ranks.
    pub fn sum(&self, values: &mut [f64]) {
        if let Err(error) = self.joint.ranks.sum_f64(values) {
            self.keep(error);
        }
    }

    /// The bytes of all ranks and the number of this one; nothing after a failure.
    pub fn gather(&self, bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
        match self.joint.ranks.gather(bytes) {
            Ok(all) => Some((all, self.joint.ranks.rank())),
            Err(error) => {
                self.keep(error);
                None
            }
        }
    }

    /// The first failure since the last call.
    pub fn check(&self) -> Result<(), RanksError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn keep(&self, error: RanksError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
