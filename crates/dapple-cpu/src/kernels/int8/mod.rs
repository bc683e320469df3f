//! Convolutions in integers of eight bits: maps of bytes, integer weights, and the way from sums back to numbers. All sums are
//! exact, so that they are the same at every level.

pub(crate) mod bytes;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod ending;
pub(crate) mod max_pool;
pub(crate) mod nearest;
pub(crate) mod quantize;
#[cfg(test)]
mod tests;
pub(crate) mod weights;
