//! Computes all nodes of a graph.

use crate::ops::average::{self, Windows};
use crate::ops::conv::{self, Geometry};
use crate::ops::norm::{self, Moments};
use crate::ops::{attention, channels, dropout, fit, group_norm, join, pointwise, pool, relu, resize};
use crate::{State64, Tensor64};
use dapple_graph::{DropoutState, Graph, Mode, Node, NodeId, Op};

/// Everything that a forward pass computed.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The value of each node, in the graph's order.
    pub values: Vec<Tensor64>,
    /// The running statistics after the pass, laid out like [`State64::statistics`].
    pub statistics: Vec<f64>,
    pub(crate) mode: Mode,
    pub(crate) dropout: DropoutState,
    pub(crate) kept: Vec<Kept>,
    outputs: Vec<NodeId>,
    margin: f64,
}

/// What the gradient of a node needs besides values.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Nothing,
    /// Of max pooling: where the maxima stood in the input's data.
    Positions(Vec<usize>),
    /// Of batch norm: the moments used.
    Moments(Moments),
}

impl Trace {
    /// The graph's outputs, the primary one first.
    pub fn outputs(&self) -> Vec<Tensor64> {
        self.outputs.iter().map(|id| self.values[id.0].clone()).collect()
    }

    /// The smallest distance of any ReLU's input to zero (of a hard sigmoid's or hard swish's to 3 or -3) and of any
    /// pooled maximum to another value of its window. Where an engine's rounding errors are larger, its gradient may rightly take another branch and
    /// its unpooling put a value elsewhere, so tests that compare either ask for a margin well above them:
    /// nineteen of twenty random networks have 1e-5 or more.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// Whether dropout drops.
    pub(crate) fn drops(&self) -> bool {
        matches!(self.mode, Mode::Train | Mode::Sample)
    }
}

/// As [`forward_with`] in pass 0 of dropout seed 0, where executors start.
///
/// # Panics
/// If the input or the state does not fit the graph.
pub fn forward(graph: &Graph, state: &State64, input: &Tensor64, mode: Mode) -> Trace {
    forward_with(graph, state, input, mode, DropoutState::default())
}

/// Computes all nodes. In [`Mode::Train`] batch norm takes the batch's moments and updates the running
/// statistics; the other modes take the running ones. Dropout drops in [`Mode::Train`] and [`Mode::Sample`].
///
/// # Panics
/// If the input or the state does not fit the graph.
pub fn forward_with(
    graph: &Graph,
    state: &State64,
    input: &Tensor64,
    mode: Mode,
    dropout: DropoutState,
) -> Trace {
    assert_eq!(input.shape, graph.shape(graph.input()), "the input has the shape of the graph's");
    assert_eq!(state.specs, graph.params(), "the state is of this graph");
    let mut trace = Trace {
        values: vec![input.clone()],
        statistics: state.statistics.clone(),
        mode,
        dropout,
        kept: vec![Kept::Nothing],
        outputs: graph.outputs().iter().map(|(_, id)| *id).collect(),
        margin: f64::INFINITY,
    };
    for node in &graph.nodes()[1..] {
        let (value, kept) = compute(node, state, &mut trace);
        trace.margin = trace.margin.min(margin(node, &trace, &value));
        trace.values.push(value);
        trace.kept.push(kept);
    }
    trace
}

fn compute(node: &Node, state: &State64, trace: &mut Trace) -> (Tensor64, Kept) {
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
            let moments = if trace.mode == Mode::Train {
                norm::batch_moments(x)
            } else {
                Moments { mean: state.slice(*mean).to_vec(), var: state.slice(*var).to_vec() }
            };
            let value = norm::forward(*norm, x, &moments, state.slice(*gamma), state.slice(*beta));
            if trace.mode == Mode::Train {
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
        Op::MaxUnpool { pool } => pool::unpool_forward(node.shape, positions(trace, *pool), x),
        Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
            resize::forward(*interpolation, x, node.shape)
        }
        Op::FitTo { .. } => fit::forward(x, node.shape),
        Op::Concat => join::concat(&inputs, node.shape),
        Op::Add => join::add(x, inputs[1]),
        Op::Pointwise(function) => pointwise::forward(*function, x),
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

/// Where the maxima of pooling `pool` stood.
pub(crate) fn positions(trace: &Trace, pool: NodeId) -> &[usize] {
    match &trace.kept[pool.0] {
        Kept::Positions(positions) => positions,
        _ => panic!("node {} is not a max pooling", pool.0),
    }
}

fn margin(node: &Node, trace: &Trace, value: &Tensor64) -> f64 {
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
