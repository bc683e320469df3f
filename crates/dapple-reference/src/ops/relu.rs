//! `max(x, 0)`, with gradient 0 at 0.

use crate::Tensor64;

pub(crate) fn forward(x: &Tensor64) -> Tensor64 {
    Tensor64::new(x.shape, x.data.iter().map(|&v| if v > 0.0 { v } else { 0.0 }).collect())
}

pub(crate) fn backward(x: &Tensor64, gy: &Tensor64) -> Tensor64 {
    let each = |(&v, &g): (&f64, &f64)| if v > 0.0 { g } else { 0.0 };
    Tensor64::new(x.shape, x.data.iter().zip(&gy.data).map(each).collect())
}
