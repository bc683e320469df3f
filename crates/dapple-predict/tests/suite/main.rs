//! The tests of this crate from outside, in one program.

mod batch;
mod common;
mod cutouts;
mod ground;
mod predict;
mod results;
mod samples;
#[cfg(unix)]
mod video;
