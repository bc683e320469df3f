//! Tests of the crate by its public face.

mod errors;
mod fold;
mod prune;
mod settings;
mod sizes;
mod state;
mod targets;
