//! The tests of this crate from outside, in one program.

mod api;
mod attacks;
mod common;
mod panics;
