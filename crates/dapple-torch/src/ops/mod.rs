//! A graph's operations as calls of libtorch: single calls in `compute`, all others in a file for each family. Values are
//! `[n, c, h, w]` in channels-last memory.

mod attention;
mod compute;
mod context;
mod conv;
mod dropout;
mod norm;
mod pool;
mod resize;

pub(crate) use compute::compute;
pub(crate) use context::Context;
