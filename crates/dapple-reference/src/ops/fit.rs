//! Centred zero-padding or cropping to another size.

use crate::Tensor64;
use crate::draw::{Draw, other_size};
use crate::tensor::index;
use dapple_graph::{Conv2d, Graph, GraphError, NodeId, Shape};

pub(crate) fn forward(x: &Tensor64, shape: Shape) -> Tensor64 {
    let mut y = Tensor64::zeros(shape);
    pairs(x.shape, shape, |o, i| y.data[o] = x.data[i]);
    y
}

pub(crate) fn backward(x: Shape, gy: &Tensor64) -> Tensor64 {
    let mut gx = Tensor64::zeros(x);
    pairs(x, gy.shape, |o, i| gx.data[i] = gy.data[o]);
    gx
}

/// Calls `visit(output index, input index)` for each value that is in both.
fn pairs(input: Shape, output: Shape, mut visit: impl FnMut(usize, usize)) {
    for n in 0..output.n {
        for y in 0..output.h {
            for x in 0..output.w {
                let row = source(y, input.h, output.h);
                let column = source(x, input.w, output.w);
                let (Some(row), Some(column)) = (row, column) else { continue };
                for c in 0..output.c {
                    visit(index(output, n, y, x, c), index(input, n, row, column, c));
                }
            }
        }
    }
}

/// The input position of output position `i` along one axis, or `None` in the padding.
fn source(i: usize, input: usize, output: usize) -> Option<usize> {
    if output >= input {
        let before = (output - input) / 2;
        i.checked_sub(before).filter(|&p| p < input)
    } else {
        Some(i + (input - output) / 2)
    }
}

/// The input cropped or padded to another size.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let like = other_size(g, draw)?;
    g.fit_to(g.input(), like)
}

/// An enlargement cropped to the input's size.
pub(crate) fn random_crop(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    // The size of an unread enlargement: back down to the input's.
    let large = Conv2d::new(g.shape(x).c, 1).padding(draw.within(0..=6));
    let large = g.conv2d("large", x, &large)?;
    g.fit_to(large, x)
}
