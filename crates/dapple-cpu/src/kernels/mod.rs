//! Kernels, one file a family. They read and write maps in the arena through checked offsets.
#![allow(clippy::needless_range_loop)] // Lane and tile loops index several arrays at once.

pub(crate) mod attention;
pub(crate) mod attention_gradient;
pub(crate) mod conv3x3;
pub(crate) mod conv3x3_weights;
pub(crate) mod conv_gemm;
pub(crate) mod conv_gemm_weights;
pub(crate) mod conv_thin;
pub(crate) mod depthwise;
pub(crate) mod depthwise_weights;
mod elementary;
pub(crate) mod gather;
pub(crate) mod gemm;
pub(crate) mod group_norm;
pub(crate) mod layer_norm;
pub(crate) mod loss;
pub(crate) mod muon;
pub(crate) mod norm;
pub(crate) mod operand;
pub(crate) mod optim;
pub(crate) mod pixels;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod products;
mod reduce;
pub(crate) mod resize;
pub(crate) mod weights;
pub(crate) mod winograd;
