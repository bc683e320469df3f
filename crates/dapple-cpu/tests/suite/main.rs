//! The CPU engine against the f64 reference, and the promises of its interface.

mod dropout;
mod equivalence;
mod fused;
mod int8;
mod joint;
mod learning;
mod memory;
mod reference;
