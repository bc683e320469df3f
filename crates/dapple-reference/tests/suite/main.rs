//! Tests of the crate by its public face.

mod errors;
mod golden;
mod gradients;
mod random;
