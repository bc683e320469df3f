//! The beginning and the end of MPI in this process.

use std::sync::Arc;

use dapple_base::RanksError;
use mpi::Threading;
use mpi::environment::Universe;

use crate::ranks::MpiRanks;

/// MPI, begun. Dropping it ends it, which waits for the other ranks; nothing may be called on its ranks afterwards.
pub struct Mpi {
    ranks: Arc<MpiRanks>,
    _universe: Universe,
}

impl Mpi {
    /// Begins MPI; once in a process, on the thread that will drop it.
    ///
    /// # Errors
    /// [`RanksError`] if it was begun before, or serves the first thread of a process only.
    pub fn begin() -> Result<Self, RanksError> {
        // Kernels add up over the ranks from threads of their pool, never two at a time.
        let begun = mpi::initialize_with_threading(Threading::Serialized);
        let (universe, provided) =
            begun.ok_or_else(|| RanksError("MPI was begun twice in one process".to_owned()))?;
        if provided < Threading::Serialized {
            return Err(RanksError(
                "this MPI may be called from the first thread of a process only (MPI_THREAD_SERIALIZED is missing); take \
                 MPICH or Open MPI from the distribution, which have it"
                    .to_owned(),
            ));
        }
        Ok(Self { ranks: Arc::new(MpiRanks::of_world()), _universe: universe })
    }

    /// All ranks of the job.
    pub fn ranks(&self) -> Arc<MpiRanks> {
        Arc::clone(&self.ranks)
    }
}
