//! Data sets: opening a folder, learning what its masks mean, and giving its samples.

mod convert;
mod infer;
mod open;
pub(crate) mod samples;
mod survey;
pub mod synthetic;
