//! Kernels, one file a family. They read and write maps in the arena through checked offsets.
#![allow(clippy::needless_range_loop)] // Lane and tile loops index several arrays at once.

pub(crate) mod conv3x3;
pub(crate) mod conv3x3_weights;
pub(crate) mod conv_gemm;
pub(crate) mod gather;
pub(crate) mod gemm;
pub(crate) mod loss;
pub(crate) mod norm;
pub(crate) mod operand;
pub(crate) mod optim;
pub(crate) mod pixels;
pub(crate) mod pool;
mod reduce;
pub(crate) mod resize;
pub(crate) mod winograd;
