//! Functions of each value by itself.

use crate::Tensor64;
use crate::draw::Draw;
use dapple_graph::{Graph, GraphError, NodeId, Pointwise};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

pub(crate) fn forward(function: Pointwise, x: &Tensor64) -> Tensor64 {
    Tensor64::new(x.shape, x.data.iter().map(|&v| value(function, v)).collect())
}

pub(crate) fn backward(function: Pointwise, x: &Tensor64, gy: &Tensor64) -> Tensor64 {
    let each = |(&v, &g): (&f64, &f64)| g * slope(function, v);
    Tensor64::new(x.shape, x.data.iter().zip(&gy.data).map(each).collect())
}

/// The distance of the nearest value to one where the function has no derivative.
pub(crate) fn margin(function: Pointwise, x: &Tensor64) -> f64 {
    match function {
        Pointwise::HardSigmoid | Pointwise::HardSwish => {
            x.data.iter().fold(f64::INFINITY, |m, v| m.min((v.abs() - 3.0).abs()))
        }
        Pointwise::Relu6 => x.data.iter().fold(f64::INFINITY, |m, v| m.min(v.abs()).min((v - 6.0).abs())),
        Pointwise::Sigmoid | Pointwise::Silu | Pointwise::Gelu | Pointwise::Negative => f64::INFINITY,
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn hard_sigmoid(x: f64) -> f64 {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// The normal distribution function.
fn normal(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * FRAC_1_SQRT_2))
}

fn value(function: Pointwise, x: f64) -> f64 {
    match function {
        Pointwise::Sigmoid => sigmoid(x),
        Pointwise::Relu6 => x.clamp(0.0, 6.0),
        Pointwise::HardSigmoid => hard_sigmoid(x),
        Pointwise::HardSwish => x * hard_sigmoid(x),
        Pointwise::Silu => x * sigmoid(x),
        Pointwise::Gelu => x * normal(x),
        Pointwise::Negative => -x,
    }
}

fn slope(function: Pointwise, x: f64) -> f64 {
    match function {
        Pointwise::Sigmoid => sigmoid(x) * (1.0 - sigmoid(x)),
        Pointwise::Relu6 if x > 0.0 && x < 6.0 => 1.0,
        Pointwise::Relu6 => 0.0,
        Pointwise::HardSigmoid if x.abs() < 3.0 => 1.0 / 6.0,
        Pointwise::HardSigmoid => 0.0,
        Pointwise::HardSwish if x < -3.0 => 0.0,
        Pointwise::HardSwish if x <= 3.0 => (2.0 * x + 3.0) / 6.0,
        Pointwise::HardSwish => 1.0,
        Pointwise::Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
        Pointwise::Gelu => normal(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
        Pointwise::Negative => -1.0,
    }
}

/// The error function by the series without cancellation (Abramowitz and Stegun 1964, 7.1.6).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut sum, mut term, mut n) = (0.0, x, 0.0);
    while sum + term != sum {
        sum += term;
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// All functions of single values.
pub(crate) const POINTWISE: [Pointwise; 7] = [
    Pointwise::Relu6,
    Pointwise::Sigmoid,
    Pointwise::HardSigmoid,
    Pointwise::HardSwish,
    Pointwise::Silu,
    Pointwise::Gelu,
    Pointwise::Negative,
];

/// A function of multiples of the input.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    // A wide range of values.
    let y = g.scale("wide", x, 1.0)?;
    let y = (0..draw.within(0..=4)).try_fold(y, |y, _| g.add(y, y))?;
    g.activate(y, draw.pick(&POINTWISE))
}
