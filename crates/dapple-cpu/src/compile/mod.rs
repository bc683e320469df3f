//! From a graph to a plan, in passes ([`compile`]). Each reads the output of the one before and nothing above it:
//!
//! | pass | from | to |
//! |---|---|---|
//! | [`uses`] | graph | [`uses::Uses`]: which nodes are wanted, and by how many readers |
//! | [`forward`] | graph, uses | [`tape::Lowered`]: the steps of the forward pass, and a tape of them |
//! | [`backward`] | the lowered steps | [`draft::Draft`]: the backward steps behind them, in reverse order of the tape |
//! | [`recompute`] | draft | a draft that fits the memory limit: feature maps dropped and computed again |
//! | [`place`] | draft | [`Plan`](crate::plan::Plan): every buffer placed in the arena |
//!
//! Batch norm, ReLU, layer scale and aligned concatenation are not steps of their own: they become part of how later
//! kernels read ([`crate::kernels::operand`]). The first backward step that writes a gradient overwrites, later ones
//! add; which is which is known here.
//!
//! The convolutions of a quantized network read maps of bytes. What stands between two of them (an activation, a residual) is
//! done by the first, which writes the bytes of the second; numbers are written only where something else reads them
//! ([`demand`]).

mod arena;
mod backward;
mod builder;
mod check;
mod conv;
mod demand;
mod draft;
mod forward;
mod int8;
mod passes;
mod place;
mod recompute;
mod tape;
mod uses;

pub(crate) use int8::Integers;
pub(crate) use passes::compile;
