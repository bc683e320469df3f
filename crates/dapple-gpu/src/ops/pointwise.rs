//! Functions of each value by itself.

use super::Map;
use burn_tensor::activation;
use dapple_graph::Pointwise;
use std::f32::consts::FRAC_1_SQRT_2;

pub(crate) fn apply(x: Map, function: Pointwise) -> Map {
    match function {
        Pointwise::Sigmoid => activation::sigmoid(x),
        Pointwise::Relu6 => relu6(x),
        Pointwise::HardSigmoid => hard_sigmoid(x),
        Pointwise::HardSwish => x.clone() * hard_sigmoid(x),
        Pointwise::Silu => x.clone() * activation::sigmoid(x),
        Pointwise::Negative => -x,
        Pointwise::Gelu => x.clone() * ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
    }
}

/// Burn's gradient of `clamp` passes at the bounds themselves, where the definition has none.
fn relu6(x: Map) -> Map {
    let x = activation::relu(x);
    let above = x.clone().greater_equal_elem(6.0);
    x.mask_fill(above, 6.0)
}

fn hard_sigmoid(x: Map) -> Map {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}
