//! Adaptive average pooling: the mean over windows that divide the map.

use crate::Tensor64;
use crate::tensor::index;
use dapple_graph::Shape;
use std::ops::Range;

pub(crate) fn forward(x: &Tensor64, shape: Shape) -> Tensor64 {
    let mut y = Tensor64::zeros(shape);
    taps(x.shape, shape, |o, i, weight| y.data[o] += weight * x.data[i]);
    y
}

pub(crate) fn backward(x: Shape, gy: &Tensor64) -> Tensor64 {
    let mut gx = Tensor64::zeros(x);
    taps(x, gy.shape, |o, i, weight| gx.data[i] += weight * gy.data[o]);
    gx
}

/// Calls `visit(output index, input index, weight)` for each value of each window.
fn taps(input: Shape, output: Shape, mut visit: impl FnMut(usize, usize, f64)) {
    for n in 0..output.n {
        for y in 0..output.h {
            for x in 0..output.w {
                let (rows, columns) = (window(y, input.h, output.h), window(x, input.w, output.w));
                let weight = 1.0 / (rows.len() * columns.len()) as f64;
                for (row, column) in rows.flat_map(|r| columns.clone().map(move |c| (r, c))) {
                    for c in 0..output.c {
                        visit(index(output, n, y, x, c), index(input, n, row, column, c), weight);
                    }
                }
            }
        }
    }
}

/// The input positions of output position `i` along one axis.
fn window(i: usize, input: usize, output: usize) -> Range<usize> {
    i * input / output..((i + 1) * input).div_ceil(output)
}
