//! Concatenation along the channels, addition and multiplication.

use crate::Tensor64;
use crate::draw::Draw;
use dapple_graph::{Conv2d, Graph, GraphError, NodeId, Shape};

pub(crate) fn concat(inputs: &[&Tensor64], shape: Shape) -> Tensor64 {
    let mut data = Vec::with_capacity(shape.len());
    for pixel in 0..shape.pixels() {
        for x in inputs {
            data.extend_from_slice(&x.data[pixel * x.shape.c..(pixel + 1) * x.shape.c]);
        }
    }
    Tensor64::new(shape, data)
}

/// The gradient of each input: its channels of `gy`.
pub(crate) fn concat_backward(inputs: &[Shape], gy: &Tensor64) -> Vec<Tensor64> {
    let mut before = 0;
    let mut gradients = Vec::new();
    for &shape in inputs {
        let mut data = Vec::with_capacity(shape.len());
        for pixel in gy.data.chunks_exact(gy.shape.c) {
            data.extend_from_slice(&pixel[before..before + shape.c]);
        }
        gradients.push(Tensor64::new(shape, data));
        before += shape.c;
    }
    gradients
}

pub(crate) fn add(a: &Tensor64, b: &Tensor64) -> Tensor64 {
    Tensor64::new(a.shape, a.data.iter().zip(&b.data).map(|(a, b)| a + b).collect())
}

/// Product of two maps of one shape, or of a map and one pixel for each image.
pub(crate) fn mul(a: &Tensor64, b: &Tensor64) -> Tensor64 {
    let data = a.data.iter().enumerate().map(|(i, v)| v * b.data[partner(a.shape, b.shape, i)]);
    Tensor64::new(a.shape, data.collect())
}

/// The gradients of both factors.
pub(crate) fn mul_backward(a: &Tensor64, b: &Tensor64, gy: &Tensor64) -> Vec<Tensor64> {
    let mut gb = Tensor64::zeros(b.shape);
    for (i, g) in gy.data.iter().enumerate() {
        gb.data[partner(a.shape, b.shape, i)] += g * a.data[i];
    }
    vec![mul(gy, b), gb]
}

/// Where `b` holds the factor of value `i` of `a`.
fn partner(a: Shape, b: Shape, i: usize) -> usize {
    if a == b { i } else { i / (a.h * a.w * a.c) * a.c + i % a.c }
}

/// A concatenation of the input and convolutions of it.
pub(crate) fn random_concat(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let mut parts = vec![x];
    for i in 0..draw.within(0..=3) {
        let y = g.conv2d(&format!("part{i}"), x, &Conv2d::new(draw.channels(), 1))?;
        parts.insert(draw.within(0..=parts.len()), y);
    }
    if draw.one_in(4) {
        parts.push(x);
    }
    g.concat(&parts)
}

/// A sum of the input and a convolution of it, in any order.
pub(crate) fn random_add(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let y = g.conv2d("branch", x, &Conv2d::new(g.shape(x).c, 1))?;
    let (a, b) = draw.pick(&[(x, y), (y, x), (x, x), (y, y)]);
    g.add(a, b)
}

/// A product with a convolution of the input, or with its mean.
pub(crate) fn random_mul(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let y = g.conv2d("factor", x, &Conv2d::new(g.shape(x).c, 1))?;
    let y = if draw.one_in(2) { g.adaptive_avg_pool(y, [1, 1])? } else { y };
    let (a, b) = draw.pick(&[(x, y), (x, y), (y, y), (x, x)]);
    g.mul(a, b)
}
