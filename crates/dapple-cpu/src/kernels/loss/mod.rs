//! Losses between logits in the arena and label maps, with their gradients. Definitions:
//! [`LossKind`](dapple_graph::LossKind).
//!
//! Passes over the pixels: the first takes the sums of most losses ([`sums`]), another the losses that need an order or the
//! distances of a whole batch ([`whole`]), the last, if wanted, the gradient ([`gradient`]). Sums are f64 over fixed chunks,
//! added in order.

mod gradient;
mod input;
mod run;
mod sixteen;
mod slopes;
mod sums;
mod terms;
mod together;
mod whole;

pub(crate) use input::LossInput;
