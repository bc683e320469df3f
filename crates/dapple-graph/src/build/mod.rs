//! The methods of [`Graph`](crate::Graph) that add operations, one file for each operation or family of operations.

mod attention;
mod avg_pool;
mod channel_sum;
mod conv2d;
mod conv_transpose2d;
mod dropout;
mod join;
mod max_pool;
mod norm;
mod pointwise;
mod relu;
mod repeat;
mod resize;
mod scale;
