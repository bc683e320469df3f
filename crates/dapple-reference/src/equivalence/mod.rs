//! Whether an engine computes what the definitions say: one suite for all engines.
//!
//! [`operations`] and [`networks`] compare an engine with the `f64` interpreter on random graphs, [`losses`] and
//! [`optimizers`] what training is made of, [`pair()`] two engines with each other on a network of any size, and
//! [`behaviour`] what an executor promises between passes. Each returns rows of the largest differences that were found;
//! [`Row::check`] panics, naming the worst, where one is above its limit.

pub mod behaviour;
mod free_input;
mod hard;
mod learning;
mod pair;
mod random_graphs;
mod row;
mod small;
mod smooth;
mod tolerance;

pub use free_input::free_input;
pub use hard::{hard_to_normalize, may_tie, worst_gradient};
pub use learning::{losses, optimizers, some_loss};
pub use pair::{Pair, Subject, hand_over, pair, together};
pub use random_graphs::{networks, operations};
pub use row::{Row, markdown};
pub use small::small;
pub use smooth::Smooth;
pub use tolerance::TOLERANCE;
