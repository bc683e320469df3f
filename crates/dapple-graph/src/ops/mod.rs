//! The closed set of operations.
//!
//! [`Op`] is the set; the other files have the settings of one operation each and the size of its output. The methods of
//! [`Graph`](crate::Graph) that add operations are in [`crate::build`].

mod avg_pool;
mod batch_norm;
mod conv2d;
mod conv_transpose2d;
pub(crate) mod extent;
mod max_pool;
mod op;
mod pointwise;
mod resize;

pub use avg_pool::AvgPool;
pub use batch_norm::BatchNorm;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use max_pool::MaxPool;
pub use op::{Op, Sizing};
pub use pointwise::Pointwise;
pub use resize::Interpolation;
