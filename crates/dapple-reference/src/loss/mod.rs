//! Losses between logits and label maps, with their gradients.

mod basic;
mod pixels;
mod probability;
mod regions;
mod total;

pub use total::loss;
