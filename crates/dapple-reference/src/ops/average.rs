//! Average pooling: means over windows that divide the map, or over windows of one size.

use crate::Tensor64;
use crate::draw::Draw;
use crate::tensor::index;
use dapple_graph::{AvgPool, Graph, GraphError, NodeId, Shape};
use std::ops::Range;

/// Which windows.
#[derive(Clone, Copy)]
pub(crate) enum Windows<'a> {
    /// Adaptive average pooling's, which divide the map.
    Dividing,
    /// Of one size; positions in the padding are zeros that count.
    Sliding(&'a AvgPool),
}

impl Windows<'_> {
    /// The input positions of output position `i` along an axis, and the reciprocal of how many count.
    fn along(self, axis: usize, i: usize, input: usize, output: usize) -> (Range<usize>, f64) {
        match self {
            Self::Dividing => {
                let window = i * input / output..((i + 1) * input).div_ceil(output);
                let share = 1.0 / window.len() as f64;
                (window, share)
            }
            Self::Sliding(pool) => {
                let inside = |place: usize| place.saturating_sub(pool.padding[axis]).min(input);
                let start = i * pool.stride[axis];
                (inside(start)..inside(start + pool.kernel[axis]), 1.0 / pool.kernel[axis] as f64)
            }
        }
    }
}

pub(crate) fn forward(windows: Windows, x: &Tensor64, shape: Shape) -> Tensor64 {
    let mut y = Tensor64::zeros(shape);
    taps(windows, x.shape, shape, |o, i, weight| y.data[o] += weight * x.data[i]);
    y
}

pub(crate) fn backward(windows: Windows, x: Shape, gy: &Tensor64) -> Tensor64 {
    let mut gx = Tensor64::zeros(x);
    taps(windows, x, gy.shape, |o, i, weight| gx.data[i] += weight * gy.data[o]);
    gx
}

/// Calls `visit(output index, input index, weight)` for each value of each window.
fn taps(windows: Windows, input: Shape, output: Shape, mut visit: impl FnMut(usize, usize, f64)) {
    for n in 0..output.n {
        for y in 0..output.h {
            let (rows, row_share) = windows.along(0, y, input.h, output.h);
            for x in 0..output.w {
                let (columns, column_share) = windows.along(1, x, input.w, output.w);
                let weight = row_share * column_share;
                for (row, column) in rows.clone().flat_map(|r| columns.clone().map(move |c| (r, c))) {
                    for c in 0..output.c {
                        visit(index(output, n, y, x, c), index(input, n, row, column, c), weight);
                    }
                }
            }
        }
    }
}

/// An average pooling of the input, of either kind.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    match draw.one_in(2) {
        true => g.avg_pool(g.input(), &avg_pool_settings(draw)),
        false => g.adaptive_avg_pool(g.input(), [0, 1].map(|_| draw.pick(&[1, 1, 2, 3, 6, 7, 20]))),
    }
}

/// An average pooling.
pub(crate) fn avg_pool_settings(draw: &mut Draw) -> AvgPool {
    let kernel = [0, 1].map(|_| draw.pick(&[1, 2, 2, 3, 5, 9, 17]));
    let stride = [0, 1].map(|_| draw.pick(&[1, 2, 2, 3, 4, 8]));
    AvgPool { kernel, stride, padding: kernel.map(|k| draw.within(0..=k / 2)) }
}
