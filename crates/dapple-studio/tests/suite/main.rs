//! The tests of this crate from outside, in one program.

mod api;
mod attacks;
mod common;
mod exports;
mod learner;
mod store;
mod training;
