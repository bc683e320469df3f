//! Processes that work on one thing together, numbered from 0: ranks, in the word of MPI.

mod alone;
mod group;
mod threads;

pub use alone::Alone;
pub use group::{Ranks, RanksError, share};
pub use threads::{ThreadRank, thread_ranks};
