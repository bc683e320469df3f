//! Convolution and transposed convolution.
//!
//! Both are sums of products `weight * from` over the same kind of list: every output value with every input
//! value and weight that reach it. The lists are [`conv_taps`] and [`transpose_taps`]; value and gradients
//! are then one line each.

use crate::Tensor64;
use crate::draw::Draw;
use crate::tensor::index;
use dapple_graph::{Conv2d, ConvTranspose2d, Graph, GraphError, NodeId, Shape};

/// Gradients of a convolution.
pub(crate) struct ConvGradients {
    pub(crate) input: Tensor64,
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
}

/// The geometry of a convolution or of a transposed one.
#[derive(Clone, Copy)]
pub(crate) enum Geometry<'a> {
    Conv(&'a Conv2d),
    Transposed(&'a ConvTranspose2d),
}

impl Geometry<'_> {
    /// Calls `visit(output index, input index, weight index)` for each product.
    fn taps(self, input: Shape, output: Shape, visit: impl FnMut(usize, usize, usize)) {
        match self {
            Geometry::Conv(conv) => conv_taps(conv, input, output, visit),
            Geometry::Transposed(conv) => transpose_taps(conv, input, output, visit),
        }
    }
}

pub(crate) fn forward(
    geometry: Geometry,
    x: &Tensor64,
    weight: &[f64],
    bias: Option<&[f64]>,
    shape: Shape,
) -> Tensor64 {
    let mut y = Tensor64::zeros(shape);
    if let Some(bias) = bias {
        y.data.iter_mut().enumerate().for_each(|(i, v)| *v = bias[i % shape.c]);
    }
    geometry.taps(x.shape, shape, |o, i, k| y.data[o] += weight[k] * x.data[i]);
    y
}

pub(crate) fn backward(geometry: Geometry, x: &Tensor64, weight: &[f64], gy: &Tensor64) -> ConvGradients {
    let mut gradients = ConvGradients {
        input: Tensor64::zeros(x.shape),
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; gy.shape.c],
    };
    gy.data.iter().enumerate().for_each(|(i, g)| gradients.bias[i % gy.shape.c] += g);
    geometry.taps(x.shape, gy.shape, |o, i, k| {
        gradients.input.data[i] += weight[k] * gy.data[o];
        gradients.weight[k] += x.data[i] * gy.data[o];
    });
    gradients
}

/// Output `[n, y, x, o]` takes input `[n, y stride - padding + ky dilation, ..]` of its group times weight
/// `[o, i, ky, kx]`.
fn conv_taps(conv: &Conv2d, input: Shape, output: Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let [kh, kw] = conv.kernel;
    let (ins, outs) = (input.c / conv.groups, output.c / conv.groups);
    for (n, y, x) in pixels(output) {
        for (ky, kx) in grid(kh, kw) {
            let row = inside(y * conv.stride[0] + ky * conv.dilation[0], conv.padding[0], input.h);
            let column = inside(x * conv.stride[1] + kx * conv.dilation[1], conv.padding[1], input.w);
            let (Some(row), Some(column)) = (row, column) else { continue };
            for o in 0..output.c {
                let group = o / outs;
                for i in 0..ins {
                    visit(
                        index(output, n, y, x, o),
                        index(input, n, row, column, group * ins + i),
                        ((o * ins + i) * kh + ky) * kw + kx,
                    );
                }
            }
        }
    }
}

/// Input `[n, y, x, i]` times weight `[i, o, ky, kx]` goes to output `[n, y stride - padding + ky, .., o]`.
fn transpose_taps(
    conv: &ConvTranspose2d,
    input: Shape,
    output: Shape,
    mut visit: impl FnMut(usize, usize, usize),
) {
    let [kh, kw] = conv.kernel;
    for (n, y, x) in pixels(input) {
        for (ky, kx) in grid(kh, kw) {
            let row = inside(y * conv.stride[0] + ky, conv.padding[0], output.h);
            let column = inside(x * conv.stride[1] + kx, conv.padding[1], output.w);
            let (Some(row), Some(column)) = (row, column) else { continue };
            for i in 0..input.c {
                for o in 0..output.c {
                    visit(
                        index(output, n, row, column, o),
                        index(input, n, y, x, i),
                        ((i * output.c + o) * kh + ky) * kw + kx,
                    );
                }
            }
        }
    }
}

/// `position - padding` if that is inside `0..size`.
fn inside(position: usize, padding: usize, size: usize) -> Option<usize> {
    position.checked_sub(padding).filter(|&p| p < size)
}

fn grid(h: usize, w: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..h).flat_map(move |y| (0..w).map(move |x| (y, x)))
}

fn pixels(s: Shape) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..s.n).flat_map(move |n| grid(s.h, s.w).map(move |(y, x)| (n, y, x)))
}

/// A convolution of the input.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let conv = conv_settings(draw, g.shape(x).c);
    g.conv2d("conv", x, &conv)
}

/// A transposed convolution of the input.
pub(crate) fn random_transposed(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let conv = transpose_settings(draw);
    g.conv_transpose2d("conv", g.input(), &conv)
}

/// A convolution for `c` input channels: plain, strided, dilated, grouped, depthwise, rectangular.
pub(crate) fn conv_settings(draw: &mut Draw, c: usize) -> Conv2d {
    let kernel = draw.pick(&[1, 1, 2, 3, 3, 3, 3, 4, 5, 7]);
    let mut conv = Conv2d::new(draw.channels(), kernel).bias(draw.one_in(2));
    if draw.one_in(6) {
        conv.kernel = [draw.within(1..=7), draw.within(1..=7)];
    }
    if draw.one_in(3) {
        conv.stride = draw.pick(&[[2, 2], [2, 2], [1, 2], [2, 1], [3, 3], [4, 4]]);
    }
    if draw.one_in(4) {
        conv.dilation = draw.pick(&[[2, 2], [2, 2], [3, 3], [4, 4], [1, 2], [3, 1]]);
    }
    conv.padding = match draw.within(0..=5) {
        0 => [0, 0],
        1 => [draw.within(0..=8), draw.within(0..=8)],
        _ => [0, 1].map(|i| conv.dilation[i] * (conv.kernel[i] - 1) / 2),
    };
    if draw.one_in(4) {
        let divisors: Vec<usize> = (1..=c).filter(|d| c.is_multiple_of(*d)).collect();
        conv.groups = if draw.one_in(2) { c } else { draw.pick(&divisors) };
        conv.out_channels = conv.groups * draw.within(1..=(40 / conv.groups).max(1));
    }
    conv
}

/// A transposed convolution.
pub(crate) fn transpose_settings(draw: &mut Draw) -> ConvTranspose2d {
    let (kernel, stride, padding) =
        draw.pick(&[(2, 2, 0), (2, 2, 0), (4, 2, 1), (3, 2, 1), (3, 1, 1), (1, 1, 0), (2, 3, 0), (8, 4, 2)]);
    let mut conv =
        ConvTranspose2d::new(draw.channels(), kernel, stride).padding(padding).bias(draw.one_in(2));
    if draw.one_in(4) {
        conv.kernel = [draw.within(1..=5), draw.within(1..=5)];
        conv.stride = [draw.within(1..=4), draw.within(1..=4)];
        conv.padding = [draw.within(0..=2), draw.within(0..=2)];
    }
    conv
}
