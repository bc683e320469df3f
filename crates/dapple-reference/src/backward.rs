//! Gradients of a graph's inputs and parameters.

use crate::forward::{Kept, positions};
use crate::ops::average::{self, Windows};
use crate::ops::conv::{self, Geometry};
use crate::ops::{attention, channels, dropout, fit, group_norm, join, norm, pointwise, pool, relu, resize};
use crate::{State64, Tensor64, Trace};
use dapple_graph::{Graph, Mode, Node, Op, ParamId};

/// What [`backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// Of the trainable parameters, laid out like [`State64::values`].
    pub values: Vec<f64>,
    /// Of the graph's input.
    pub input: Tensor64,
}

/// Gradients of `sum over outputs of (output * its gradient)`. After a pass in [`Mode::Train`] they flow
/// through the batch's moments; otherwise the running statistics are constants.
///
/// # Panics
/// If trace, state and gradients are not of this graph.
pub fn backward(graph: &Graph, state: &State64, trace: &Trace, output_gradients: &[Tensor64]) -> Gradients {
    assert_eq!(output_gradients.len(), graph.outputs().len(), "each output has a gradient");
    let mut gradients: Vec<Tensor64> = graph.nodes().iter().map(|n| Tensor64::zeros(n.shape)).collect();
    for ((_, id), gradient) in graph.outputs().iter().zip(output_gradients) {
        gradients[id.0].accumulate(gradient);
    }
    let mut values = vec![0.0; state.values.len()];
    for (index, node) in graph.nodes().iter().enumerate().skip(1).rev() {
        let gy = gradients[index].clone();
        let mut add_param = |id: ParamId, gradient: &[f64]| {
            let offset = state.specs[id.0].offset;
            values[offset..offset + gradient.len()].copy_from_slice(gradient);
        };
        let of_inputs = differentiate(node, index, state, trace, &gy, &mut add_param);
        for (id, gradient) in node.inputs.iter().zip(of_inputs) {
            gradients[id.0].accumulate(&gradient);
        }
    }
    Gradients { values, input: gradients.swap_remove(0) }
}

/// The gradients of the node's inputs, in their order; those of its parameters go to `set_param`.
fn differentiate(
    node: &Node,
    index: usize,
    state: &State64,
    trace: &Trace,
    gy: &Tensor64,
    set_param: &mut dyn FnMut(ParamId, &[f64]),
) -> Vec<Tensor64> {
    let input = |i: usize| &trace.values[node.inputs[i].0];
    let x = input(0);
    let mut conv = |geometry, weight: ParamId, bias: Option<ParamId>| {
        let gradients = conv::backward(geometry, x, state.slice(weight), gy);
        set_param(weight, &gradients.weight);
        if let Some(bias) = bias {
            set_param(bias, &gradients.bias);
        }
        gradients.input
    };
    let gx = match &node.op {
        Op::Input => unreachable!("only the first node is the input"),
        Op::Conv2d { weight, bias, conv: settings } => conv(Geometry::Conv(settings), *weight, *bias),
        Op::ConvTranspose2d { weight, bias, conv: settings } => {
            conv(Geometry::Transposed(settings), *weight, *bias)
        }
        Op::BatchNorm { gamma, beta, norm, .. } => {
            let Kept::Moments(moments) = &trace.kept[index] else {
                panic!("the trace is of another graph");
            };
            let batch = trace.mode == Mode::Train;
            let gradients = norm::backward(*norm, x, moments, batch, state.slice(*gamma), gy);
            set_param(*gamma, &gradients.gamma);
            set_param(*beta, &gradients.beta);
            gradients.input
        }
        Op::Relu => relu::backward(x, gy),
        Op::MaxPool(_) => {
            let Kept::Positions(positions) = &trace.kept[index] else {
                panic!("the trace is of another graph");
            };
            pool::backward(x.shape, positions, gy)
        }
        Op::MaxUnpool { pool } => pool::unpool_backward(x.shape, positions(trace, *pool), gy),
        Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
            resize::backward(*interpolation, x.shape, gy)
        }
        Op::FitTo { .. } => fit::backward(x.shape, gy),
        Op::Concat => {
            let shapes: Vec<_> = node.inputs.iter().map(|id| trace.values[id.0].shape).collect();
            return join::concat_backward(&shapes, gy);
        }
        Op::Add => return vec![gy.clone(), gy.clone()],
        Op::Pointwise(function) => pointwise::backward(*function, x, gy),
        Op::Mul => return join::mul_backward(x, input(1), gy),
        Op::AdaptiveAvgPool => average::backward(Windows::Dividing, x.shape, gy),
        Op::AvgPool(pool) => average::backward(Windows::Sliding(pool), x.shape, gy),
        Op::LayerNorm { gamma, beta, eps } => {
            let gradients = channels::layer_norm_backward(x, state.slice(*gamma), *eps, gy);
            set_param(*gamma, &gradients.factor);
            set_param(*beta, &gradients.shift);
            gradients.input
        }
        Op::GroupNorm { gamma, beta, groups, eps } => {
            let gradients = group_norm::backward(x, state.slice(*gamma), *groups, *eps, gy);
            set_param(*gamma, &gradients.factor);
            set_param(*beta, &gradients.shift);
            gradients.input
        }
        Op::Scale { factor } => {
            let gradients = channels::scale_backward(x, state.slice(*factor), gy);
            set_param(*factor, &gradients.factor);
            gradients.input
        }
        Op::Attention { heads } => return attention::backward(x, input(1), input(2), *heads, gy),
        Op::Dropout { rate, stream } => match trace.drops() {
            true => dropout::values(gy, *rate, trace.dropout.key(*stream)),
            false => gy.clone(),
        },
        Op::DropPath { rate, stream } => match trace.mode {
            Mode::Train => dropout::images(gy, *rate, trace.dropout.key(*stream)),
            _ => gy.clone(),
        },
    };
    vec![gx]
}
