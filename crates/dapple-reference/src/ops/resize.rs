//! Nearest and bilinear sampling: each output row is a weighted sum of one or two input rows, and so are the
//! columns.

use crate::Tensor64;
use crate::draw::{Draw, other_size};
use crate::tensor::index;
use dapple_graph::{Graph, GraphError, Interpolation, NodeId, Shape};

pub(crate) fn forward(interpolation: Interpolation, x: &Tensor64, shape: Shape) -> Tensor64 {
    let mut y = Tensor64::zeros(shape);
    taps(interpolation, x.shape, shape, |o, i, weight| y.data[o] += weight * x.data[i]);
    y
}

pub(crate) fn backward(interpolation: Interpolation, x: Shape, gy: &Tensor64) -> Tensor64 {
    let mut gx = Tensor64::zeros(x);
    taps(interpolation, x, gy.shape, |o, i, weight| gx.data[i] += weight * gy.data[o]);
    gx
}

/// Calls `visit(output index, input index, weight)` for each product.
fn taps(interpolation: Interpolation, input: Shape, output: Shape, mut visit: impl FnMut(usize, usize, f64)) {
    for n in 0..output.n {
        for y in 0..output.h {
            for x in 0..output.w {
                for (iy, wy) in sources(interpolation, y, input.h, output.h) {
                    for (ix, wx) in sources(interpolation, x, input.w, output.w) {
                        for c in 0..output.c {
                            visit(index(output, n, y, x, c), index(input, n, iy, ix, c), wy * wx);
                        }
                    }
                }
            }
        }
    }
}

/// The input positions that output position `i` takes along one axis, with their weights.
fn sources(interpolation: Interpolation, i: usize, input: usize, output: usize) -> Vec<(usize, f64)> {
    let source = match interpolation {
        Interpolation::Nearest => return vec![(i * input / output, 1.0)],
        Interpolation::Bilinear { align_corners: true } if output == 1 => 0.0,
        Interpolation::Bilinear { align_corners: true } => (i * (input - 1)) as f64 / (output - 1) as f64,
        Interpolation::Bilinear { align_corners: false } => {
            ((i as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0)
        }
    };
    let first = (source as usize).min(input - 1);
    let second = (first + 1).min(input - 1);
    let share = source - first as f64;
    vec![(first, 1.0 - share), (second, share)]
}

/// The input sampled at another size.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let like = other_size(g, draw)?;
    g.resize(g.input(), like, interpolation(draw))
}

/// The input sampled at a multiple of its size.
pub(crate) fn random_upscale(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    g.upscale(g.input(), draw.within(1..=4), interpolation(draw))
}

/// A way of sampling.
pub(crate) fn interpolation(draw: &mut Draw) -> Interpolation {
    draw.pick(&[
        Interpolation::Nearest,
        Interpolation::Bilinear { align_corners: false },
        Interpolation::Bilinear { align_corners: true },
    ])
}
