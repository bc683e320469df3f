//! Kernels, one file a family; each implements [`kernel::Kernel`]. They read and write feature maps in the arena through
//! checked offsets.
#![allow(clippy::needless_range_loop)] // Lane and tile loops index several arrays at once.

pub(crate) mod add;
pub(crate) mod attend;
pub(crate) mod attention;
pub(crate) mod attention_gradient;
pub(crate) mod batch_norm;
pub(crate) mod batch_norm_gradient;
pub(crate) mod bias;
pub(crate) mod channel_sum;
pub(crate) mod conv3x3;
pub(crate) mod conv3x3_weights;
pub(crate) mod conv_gemm;
pub(crate) mod conv_gemm_weights;
pub(crate) mod conv_thin;
pub(crate) mod copy;
pub(crate) mod depthwise;
pub(crate) mod depthwise_weights;
pub(crate) mod dropout;
mod elementary;
mod gather;
mod gemm;
pub(crate) mod group_norm;
pub(crate) mod int8;
pub(crate) mod kernel;
pub(crate) mod lattice;
pub(crate) mod layer_norm;
pub(crate) mod loss;
pub(crate) mod max_pool;
pub(crate) mod muon;
pub(crate) mod operand;
pub(crate) mod optim;
pub(crate) mod pixels;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod products;
mod reduce;
pub(crate) mod relu;
pub(crate) mod resize;
pub(crate) mod scale;
mod values;
pub(crate) mod weights;
pub(crate) mod winograd;
