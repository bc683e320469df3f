//! The operations, a file each or one for a few close ones: the value from the definition, the gradients of inputs and
//! parameters from that of the value, and graphs with random settings. This file chooses among them.

pub(crate) mod attention;
pub(crate) mod average;
pub(crate) mod channels;
pub(crate) mod conv;
pub(crate) mod dropout;
pub(crate) mod fit;
pub(crate) mod group_norm;
pub(crate) mod join;
pub(crate) mod norm;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod relu;
pub(crate) mod resize;

use crate::draw::Draw;
use crate::trace::{Kept, Trace};
use crate::{State64, Tensor64};
use average::Windows;
use conv::Geometry;
use dapple_graph::{Graph, GraphError, Mode, Node, NodeId, Op, ParamId};
use norm::Moments;

/// Number of kinds of operation; [`operation(seed)`](crate::random::operation) is of kind
/// `seed % OPERATIONS`.
pub const OPERATIONS: u64 = 20;

/// Adds an operation of a kind with random settings, and what prepares a second input or a size where it needs one.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw, kind: u64) -> Result<NodeId, GraphError> {
    match kind {
        0 | 1 => conv::random(g, draw),
        2 => conv::random_transposed(g, draw),
        3 => norm::random(g, draw),
        4 => g.relu(g.input()),
        5 => pool::random(g, draw),
        6 => pool::random_unpool(g, draw),
        7 => resize::random(g, draw),
        8 => resize::random_upscale(g, draw),
        9 => fit::random(g, draw),
        10 => fit::random_crop(g, draw),
        11 => join::random_concat(g, draw),
        12 => join::random_add(g, draw),
        13 => pointwise::random(g, draw),
        14 => join::random_mul(g, draw),
        15 => average::random(g, draw),
        16 => channels::random_layer_norm(g, draw),
        17 if draw.one_in(2) => group_norm::random(g, draw),
        17 if draw.one_in(2) => channels::random_sum(g, draw),
        17 => channels::random_scale(g),
        18 => attention::random(g, draw),
        _ => dropout::random(g, draw),
    }
}

/// The value of a node, and what its gradient needs besides.
pub(crate) fn compute(node: &Node, state: &State64, trace: &mut Trace) -> (Tensor64, Kept) {
    let inputs: Vec<&Tensor64> = node.inputs.iter().map(|id| &trace.values[id.0]).collect();
    let x = inputs[0];
    let value = match &node.op {
        Op::Input => unreachable!("only the first node is the input"),
        Op::Conv2d { weight, bias, conv } => {
            let bias = bias.map(|b| state.slice(b));
            conv::forward(Geometry::Conv(conv), x, state.slice(*weight), bias, node.shape)
        }
        Op::ConvTranspose2d { weight, bias, conv } => {
            let bias = bias.map(|b| state.slice(b));
            conv::forward(Geometry::Transposed(conv), x, state.slice(*weight), bias, node.shape)
        }
        Op::BatchNorm { gamma, beta, mean, var, norm } => {
            let own = trace.mode == Mode::Train && !norm.frozen;
            let moments = if own {
                norm::batch_moments(x)
            } else {
                Moments { mean: state.slice(*mean).to_vec(), var: state.slice(*var).to_vec() }
            };
            let value = norm::forward(*norm, x, &moments, state.slice(*gamma), state.slice(*beta));
            if own {
                let (mut m, mut v) = (state.slice(*mean).to_vec(), state.slice(*var).to_vec());
                norm::update_running(*norm, &moments, x.shape.pixels(), &mut m, &mut v);
                for (id, new) in [(mean, m), (var, v)] {
                    let offset = state.specs[id.0].offset;
                    trace.statistics[offset..offset + new.len()].copy_from_slice(&new);
                }
            }
            return (value, Kept::Moments(moments));
        }
        Op::Relu => relu::forward(x),
        Op::MaxPool(settings) => {
            let (value, positions) = pool::forward(settings, x, node.shape);
            return (value, Kept::Positions(positions));
        }
        Op::MaxUnpool { pool } => pool::unpool_forward(node.shape, trace.positions(*pool), x),
        Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
            resize::forward(*interpolation, x, node.shape)
        }
        Op::FitTo { .. } => fit::forward(x, node.shape),
        Op::Concat => join::concat(&inputs, node.shape),
        Op::Add => join::add(x, inputs[1]),
        Op::Pointwise(function) => pointwise::forward(*function, x),
        Op::ChannelSum => channels::sum(x, node.shape),
        Op::Mul => join::mul(x, inputs[1]),
        Op::AdaptiveAvgPool => average::forward(Windows::Dividing, x, node.shape),
        Op::AvgPool(pool) => average::forward(Windows::Sliding(pool), x, node.shape),
        Op::LayerNorm { gamma, beta, eps } => {
            channels::layer_norm(x, state.slice(*gamma), state.slice(*beta), *eps)
        }
        Op::GroupNorm { gamma, beta, groups, eps } => {
            group_norm::forward(x, state.slice(*gamma), state.slice(*beta), *groups, *eps)
        }
        Op::Scale { factor } => channels::scale(x, state.slice(*factor)),
        Op::Attention { heads } => attention::forward(x, inputs[1], inputs[2], *heads),
        Op::Dropout { rate, stream } => match trace.drops() {
            true => dropout::values(x, *rate, trace.dropout.key(*stream)),
            false => x.clone(),
        },
        Op::DropPath { rate, stream } => match trace.mode {
            Mode::Train => dropout::images(x, *rate, trace.dropout.key(*stream)),
            _ => x.clone(),
        },
    };
    (value, Kept::Nothing)
}

/// The gradients of the node's inputs, in their order; those of its parameters go to `set_param`.
pub(crate) fn differentiate(
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
            let batch = trace.mode == Mode::Train && !norm.frozen;
            let gradients = norm::backward(*norm, x, moments, batch, state.slice(*gamma), gy);
            set_param(*gamma, &gradients.gamma);
            set_param(*beta, &gradients.beta);
            gradients.input
        }
        Op::Relu => relu::backward(x, gy),
        Op::MaxPool(_) => pool::backward(x.shape, trace.positions(NodeId(index)), gy),
        Op::MaxUnpool { pool } => pool::unpool_backward(x.shape, trace.positions(*pool), gy),
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
        // Every input channel is in every output channel.
        Op::ChannelSum => channels::sum(gy, x.shape),
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

/// The distance of a node's inputs to values at which it has no gradient; see [`Trace::margin`].
pub(crate) fn margin(node: &Node, trace: &Trace, value: &Tensor64) -> f64 {
    match &node.op {
        // An exact zero stays one in any precision.
        Op::Relu => {
            let input = &trace.values[node.inputs[0].0].data;
            input.iter().filter(|&&v| v != 0.0).fold(f64::INFINITY, |m, v| m.min(v.abs()))
        }
        Op::Pointwise(function) => pointwise::margin(*function, &trace.values[node.inputs[0].0]),
        Op::MaxPool(settings) => pool::margin(settings, &trace.values[node.inputs[0].0], value),
        _ => f64::INFINITY,
    }
}
