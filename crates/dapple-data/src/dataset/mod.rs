//! Data sets: opening a folder, learning what its masks mean, and giving its samples.

mod advice;
mod convert;
pub(crate) mod fingerprint;
mod infer;
mod levels;
mod marks;
mod meaning;
mod open;
pub(crate) mod options;
mod overlaps;
mod planes;
pub(crate) mod reader;
pub(crate) mod samples;
mod survey;
pub mod synthetic;
mod turns;
pub(crate) mod unlabelled;
pub(crate) mod values;
