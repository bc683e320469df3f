//! Inverted dropout with the mask that all engines share.

use crate::Tensor64;
use crate::draw::Draw;
use dapple_graph::dropout::{keeps, threshold};
use dapple_graph::{Graph, GraphError, NodeId};

/// Of single values. Kept ones times `1 / (1 - rate)`, the others zero. Of a gradient this is the gradient.
pub(crate) fn values(x: &Tensor64, rate: f32, key: u64) -> Tensor64 {
    runs(x, 1, rate, key)
}

/// Of whole images, likewise.
pub(crate) fn images(x: &Tensor64, rate: f32, key: u64) -> Tensor64 {
    runs(x, x.shape.h * x.shape.w * x.shape.c, rate, key)
}

/// Of runs of so many values, each kept or not as a whole.
fn runs(x: &Tensor64, len: usize, rate: f32, key: u64) -> Tensor64 {
    let (threshold, factor) = (threshold(rate), 1.0 / (1.0 - f64::from(rate)));
    let each =
        |(i, &v): (usize, &f64)| if keeps(key, (i / len) as u64, threshold) { factor * v } else { 0.0 };
    Tensor64::new(x.shape, x.data.iter().enumerate().map(each).collect())
}

/// Dropout of the input's values or images.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    match draw.one_in(2) {
        true => g.drop_path(g.input(), draw.pick(&[0.0, 0.1, 0.5, 0.9])),
        false => g.dropout(g.input(), draw.pick(&[0.0, 0.1, 0.5, 0.9])),
    }
}
