//! Max pooling that keeps where the maxima stood, and its unpooling.

use crate::Tensor64;
use crate::draw::Draw;
use dapple_graph::{Conv2d, Graph, GraphError, MaxPool, NodeId, Shape};
use std::ops::Range;

/// The maxima and, for each, its index in the input's data. The first of equal values in row-major order wins.
pub(crate) fn forward(pool: &MaxPool, x: &Tensor64, shape: Shape) -> (Tensor64, Vec<usize>) {
    let mut y = Tensor64::zeros(shape);
    let mut positions = vec![0; shape.len()];
    each_window(pool, x, shape, |o, window| {
        let mut best = window[0];
        for &i in window {
            if x.data[i] > x.data[best] {
                best = i;
            }
        }
        y.data[o] = x.data[best];
        positions[o] = best;
    });
    (y, positions)
}

pub(crate) fn backward(x: Shape, positions: &[usize], gy: &Tensor64) -> Tensor64 {
    unpool(x, positions, gy)
}

/// Adds each value at its position; without overlaps no position repeats, so that this is unpooling as well.
fn unpool(shape: Shape, positions: &[usize], values: &Tensor64) -> Tensor64 {
    let mut out = Tensor64::zeros(shape);
    positions.iter().zip(&values.data).for_each(|(&p, v)| out.data[p] += v);
    out
}

pub(crate) fn unpool_forward(shape: Shape, positions: &[usize], x: &Tensor64) -> Tensor64 {
    unpool(shape, positions, x)
}

pub(crate) fn unpool_backward(x: Shape, positions: &[usize], gy: &Tensor64) -> Tensor64 {
    Tensor64::new(x, positions.iter().map(|&p| gy.data[p]).collect())
}

/// The smallest distance between a maximum and a different value of its window; infinite if there is none.
pub(crate) fn margin(pool: &MaxPool, x: &Tensor64, y: &Tensor64) -> f64 {
    let mut margin = f64::INFINITY;
    each_window(pool, x, y.shape, |o, window| {
        for &i in window {
            if x.data[i] != y.data[o] {
                margin = margin.min(y.data[o] - x.data[i]);
            }
        }
    });
    margin
}

/// Calls `visit(output index, input indices of its window inside the image)`. Padding counts as minus
/// infinity, so that it can be left out: every window has a pixel of the image.
fn each_window(pool: &MaxPool, x: &Tensor64, shape: Shape, mut visit: impl FnMut(usize, &[usize])) {
    let y = Tensor64::zeros(shape);
    for n in 0..shape.n {
        for oy in 0..shape.h {
            for ox in 0..shape.w {
                for c in 0..shape.c {
                    let rows = window(pool, 0, oy, x.shape.h);
                    let columns = window(pool, 1, ox, x.shape.w);
                    let pixels = rows.flat_map(|iy| columns.clone().map(move |ix| (iy, ix)));
                    let window: Vec<usize> = pixels.map(|(iy, ix)| x.index(n, iy, ix, c)).collect();
                    visit(y.index(n, oy, ox, c), &window);
                }
            }
        }
    }
}

fn window(pool: &MaxPool, axis: usize, out: usize, size: usize) -> Range<usize> {
    let start = out * pool.stride[axis];
    let end = (start + pool.kernel[axis]).saturating_sub(pool.padding[axis]);
    start.saturating_sub(pool.padding[axis])..end.min(size)
}

/// A max pooling of the input.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    g.max_pool(g.input(), &pool_settings(draw))
}

/// A max pooling of the input and its unpooling.
pub(crate) fn random_unpool(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let mut pool = pool_settings(draw);
    pool.stride = [0, 1].map(|i| pool.kernel[i] + draw.within(0..=1));
    let pooled = g.max_pool(x, &pool)?;
    let y = g.conv2d("inner", pooled, &Conv2d::new(g.shape(x).c, 1))?;
    g.max_unpool(y, pooled)
}

/// A max pooling.
pub(crate) fn pool_settings(draw: &mut Draw) -> MaxPool {
    let (kernel, stride) = draw.pick(&[(2, 2), (2, 2), (2, 2), (3, 2), (3, 3), (3, 1), (2, 1), (5, 1)]);
    let mut pool = MaxPool::new(kernel, stride).ceil(draw.one_in(2));
    if draw.one_in(5) {
        pool.kernel = [draw.within(1..=5), draw.within(1..=5)];
        pool.stride = [draw.within(1..=4), draw.within(1..=4)];
    }
    if draw.one_in(3) {
        pool.padding = pool.kernel.map(|k| draw.within(0..=k / 2));
    }
    pool
}
