//! The tests of this crate from outside, in one program.

mod batch;
mod common;
mod predict;
mod samples;
#[cfg(unix)]
mod video;
