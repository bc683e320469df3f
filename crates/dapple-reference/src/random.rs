//! Networks, parameters, images and labels drawn from a seed, to compare engines on.
//!
//! Everything depends on its seed only, so that a failing seed can be run again.

mod network;
mod operation;
mod values;

pub use crate::ops::OPERATIONS;
pub use network::{RandomNetwork, labelled_network, network};
pub use operation::operation;
pub use values::{labels, state, tensor};
