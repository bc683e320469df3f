//! The methods of [`Graph`](crate::Graph) that add operations, one file for each operation or family of operations.

mod affine;
mod attention;
mod avg_pool;
mod batch_norm;
mod conv2d;
mod conv_transpose2d;
mod dropout;
mod group_norm;
mod join;
mod layer_norm;
mod max_pool;
mod pointwise;
mod relu;
mod repeat;
mod resize;
mod scale;
