//! A pass over a graph: every node in order, each as tensor operations.

use crate::ops::linear::Matrices;
use crate::ops::norm::{self, Moments};
use crate::ops::pool::{self, Positions};
use crate::ops::{Map, attention, conv, dropout, fit, of_channels, pointwise};
use burn_tensor::{Device, Tensor, activation};
use dapple_graph::{DropoutState, Graph, Mode, Node, NodeId, Op, ParamId};
use std::collections::HashMap;

/// A pass: everything that it reads besides its input.
pub(crate) struct Pass<'a> {
    pub graph: &'a Graph,
    pub mode: Mode,
    pub dropout: DropoutState,
    /// The values of each parameter, flat, in the graph's order.
    pub params: &'a [Tensor<1>],
    /// Of constants.
    pub device: &'a Device,
    pub matrices: &'a mut Matrices,
    /// Keep every value and every edge's gradient, for a search for faults.
    pub probe: bool,
}

/// The results of a pass.
#[derive(Default)]
pub(crate) struct Trace {
    /// The values of the nodes; those that nothing needs any more are gone.
    pub values: Vec<Option<Map>>,
    /// Of batch norms in training: running mean, running variance, the share of the new, the batch's moments.
    pub moments: Vec<(ParamId, ParamId, f32, Moments)>,
    /// If probed: zeros that were added to what a node (its index) read; their gradients are those that it passes on.
    pub edges: Vec<(usize, Map)>,
    positions: HashMap<NodeId, Positions>,
}

impl Trace {
    /// The outputs of those nodes that the pass was to keep.
    pub fn outputs(&self, graph: &Graph, mode: Mode) -> Vec<Map> {
        wanted(graph, mode).iter().filter_map(|id| self.values[id.0].clone()).collect()
    }
}

/// The outputs that a mode gives.
pub(crate) fn wanted(graph: &Graph, mode: Mode) -> Vec<NodeId> {
    let count = if mode == Mode::Predict { 1 } else { graph.outputs().len() };
    graph.outputs().iter().take(count).map(|(_, id)| *id).collect()
}

/// The nodes whose values or positions a node reads.
fn reads(node: &Node) -> impl Iterator<Item = NodeId> + '_ {
    let pool = match node.op {
        Op::MaxUnpool { pool } => Some(pool),
        _ => None,
    };
    node.inputs.iter().copied().chain(pool)
}

impl Pass<'_> {
    /// Runs over all nodes that the wanted outputs depend on.
    pub fn run(mut self, input: Map) -> Trace {
        let graph = self.graph;
        let nodes = graph.nodes();
        let last = self.last_readers();
        let mut trace = Trace { values: vec![None; nodes.len()], ..Trace::default() };
        trace.values[0] = Some(input);
        for (index, node) in nodes.iter().enumerate().skip(1) {
            if last[index].is_none() {
                continue;
            }
            let value = self.compute(NodeId(index), node, &mut trace);
            trace.values[index] = Some(value);
            if !self.probe {
                for id in reads(node) {
                    if last[id.0] == Some(index) {
                        trace.values[id.0] = None;
                    }
                }
            }
        }
        trace
    }

    /// For each node the last one that reads it; past the end for outputs, none where no output depends on it.
    fn last_readers(&self) -> Vec<Option<usize>> {
        let nodes = self.graph.nodes();
        let mut last = vec![None; nodes.len()];
        wanted(self.graph, self.mode).iter().for_each(|id| last[id.0] = Some(nodes.len()));
        for (index, node) in nodes.iter().enumerate().rev().filter(|(index, _)| *index > 0) {
            if last[index].is_none() {
                continue;
            }
            for id in reads(node) {
                last[id.0] = last[id.0].max(Some(index));
            }
        }
        last
    }

    fn param(&self, id: ParamId) -> Tensor<1> {
        self.params[id.0].clone()
    }

    /// One of a node's inputs, behind a probe in a search for faults.
    fn read(&self, index: usize, id: NodeId, trace: &mut Trace) -> Map {
        let value =
            trace.values[id.0].clone().expect("nodes stand in computing order and keep what is read later");
        if !self.probe {
            return value;
        }
        let edge = Map::zeros(value.shape(), self.device).autodiff().require_grad();
        trace.edges.push((index, edge.clone()));
        value + edge
    }

    fn compute(&mut self, id: NodeId, node: &Node, trace: &mut Trace) -> Map {
        let mut inputs: Vec<Map> = node.inputs.iter().map(|input| self.read(id.0, *input, trace)).collect();
        let size = [node.shape.h, node.shape.w];
        let device = self.device;
        // Concatenation takes all of them.
        if let Op::Concat = node.op {
            return Map::cat(inputs, 3);
        }
        let x = inputs.remove(0);
        let mut second = || inputs.remove(0);
        match &node.op {
            Op::Input | Op::Concat => unreachable!("the first node is given, concatenations are done"),
            Op::Conv2d { weight, bias, conv } => {
                conv::conv(x, self.param(*weight), bias.map(|b| self.param(b)), conv)
            }
            Op::ConvTranspose2d { weight, bias, conv } => {
                conv::conv_transpose(x, self.param(*weight), bias.map(|b| self.param(b)), conv)
            }
            Op::BatchNorm { gamma, beta, mean, var, norm } => {
                if self.mode != Mode::Train || norm.frozen {
                    return norm::running(x, [gamma, beta, mean, var].map(|id| self.param(*id)), *norm);
                }
                let (y, moments) = norm::batch(x, self.param(*gamma), self.param(*beta), *norm);
                trace.moments.push((*mean, *var, norm.momentum, moments));
                y
            }
            Op::LayerNorm { gamma, beta, eps } => norm::layer(x, self.param(*gamma), self.param(*beta), *eps),
            Op::GroupNorm { gamma, beta, groups, eps } => {
                norm::group(x, self.param(*gamma), self.param(*beta), *groups, *eps)
            }
            Op::Relu => activation::relu(x),
            Op::MaxPool(pool) => {
                if !self.is_unpooled(id) {
                    return pool::max(x, pool);
                }
                let (y, positions) = pool::max_with_positions(x, pool);
                trace.positions.insert(id, positions);
                y
            }
            Op::MaxUnpool { pool } => {
                let positions = trace.positions[pool].clone();
                let Op::MaxPool(settings) = &self.graph.node(*pool).op else {
                    unreachable!("the builder accepts poolings only");
                };
                pool::unpool(x, positions, size, settings, device)
            }
            Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
                self.matrices.sample(x, size, *interpolation, device)
            }
            Op::FitTo { .. } => fit::fit(x, size, device),
            Op::Add => x + second(),
            Op::Mul => x * second(),
            Op::Pointwise(function) => pointwise::apply(x, *function),
            Op::ChannelSum => x.sum_dim(3).repeat_dim(3, node.shape.c),
            Op::AdaptiveAvgPool => self.matrices.divide(x, size, device),
            Op::AvgPool(pool) => self.matrices.slide(x, size, pool, device),
            Op::Scale { factor } => x * of_channels(self.param(*factor)),
            Op::Attention { heads } => {
                let (k, v) = (second(), second());
                attention::attention(x, k, v, *heads)
            }
            Op::Dropout { rate, stream } => match self.mode {
                Mode::Train | Mode::Sample => dropout::values(x, *rate, self.dropout.key(*stream), device),
                Mode::Eval | Mode::Predict => x,
            },
            Op::DropPath { rate, stream } => match self.mode {
                Mode::Train => dropout::images(x, *rate, self.dropout.key(*stream), device),
                Mode::Eval | Mode::Predict | Mode::Sample => x,
            },
        }
    }

    fn is_unpooled(&self, pool: NodeId) -> bool {
        self.graph.nodes().iter().any(|node| matches!(node.op, Op::MaxUnpool { pool: of } if of == pool))
    }
}
