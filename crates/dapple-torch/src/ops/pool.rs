//! Pooling and unpooling.

use super::context::{Computed, channels_last};
use crate::transfer::extent;
use dapple_graph::{AvgPool, MaxPool, Shape};
use tch::{TchError, Tensor};

/// The maxima and where in its map each stood; the first of equals.
pub(super) fn max(x: &Tensor, pool: &MaxPool) -> Result<Computed, TchError> {
    let [kernel, stride, padding] = [pool.kernel, pool.stride, pool.padding].map(|pair| pair.map(extent));
    let (value, positions) = x.f_max_pool2d_with_indices(kernel, stride, padding, [1, 1], pool.ceil)?;
    Ok(Computed { value, positions: Some(positions) })
}

/// Each value where its maximum stood, zero elsewhere.
pub(super) fn unpool(x: &Tensor, positions: &Tensor, shape: Shape) -> Result<Tensor, TchError> {
    channels_last(&x.f_max_unpool2d(positions, [shape.h, shape.w].map(extent))?)
}

/// Means over windows that divide the map.
pub(super) fn dividing(x: &Tensor, shape: Shape) -> Result<Tensor, TchError> {
    x.f_adaptive_avg_pool2d([shape.h, shape.w].map(extent))
}

/// Means over windows of one size, zeros of the padding included.
pub(super) fn sliding(x: &Tensor, pool: &AvgPool) -> Result<Tensor, TchError> {
    let [kernel, stride, padding] = [pool.kernel, pool.stride, pool.padding].map(|pair| pair.map(extent));
    x.f_avg_pool2d(kernel, stride, padding, false, true, None)
}
