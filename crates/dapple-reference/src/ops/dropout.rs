//! Inverted dropout with the mask that all engines share.

use crate::Tensor64;
use dapple_graph::dropout::{keeps, threshold};

/// Kept values times `1 / (1 - rate)`, the others zero. Of a gradient this is the gradient.
pub(crate) fn apply(x: &Tensor64, rate: f32, key: u64) -> Tensor64 {
    let (threshold, factor) = (threshold(rate), 1.0 / (1.0 - f64::from(rate)));
    let each = |(i, &v): (usize, &f64)| if keeps(key, i as u64, threshold) { factor * v } else { 0.0 };
    Tensor64::new(x.shape, x.data.iter().enumerate().map(each).collect())
}
