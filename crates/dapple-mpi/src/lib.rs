//! The ranks of MPI, as `dapple_base::Ranks`.
//!
//! Two calls of MPI carry everything: `MPI_Iallgatherv` and `MPI_Ialltoallv`, on bytes. Sums are made of them by
//! `dapple_base`, in the order of the ranks, so that the result does not depend on the algorithm that an MPI takes.
//!
//! Built with the feature `mpi` only; without it the crate is empty.

#![cfg(feature = "mpi")]

mod ranks;
mod universe;

pub use ranks::MpiRanks;
pub use universe::Mpi;
