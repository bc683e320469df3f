//! One file for each family of operations. `forward` computes a node's value, `backward` the gradients of its
//! inputs and parameters from that of its value.

pub(crate) mod attention;
pub(crate) mod average;
pub(crate) mod channels;
pub(crate) mod conv;
pub(crate) mod dropout;
pub(crate) mod fit;
pub(crate) mod group_norm;
pub(crate) mod join;
pub(crate) mod norm;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod relu;
pub(crate) mod resize;
