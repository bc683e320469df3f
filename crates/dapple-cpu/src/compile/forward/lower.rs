//! The steps of each operation.

use super::state::Forward;
use crate::compile::builder::{Builder, Value};
use crate::compile::demand;
use crate::compile::int8::Integers;
use crate::compile::tape::Lowered;
use crate::compile::uses::Uses;
use crate::kernels::channel_sum::ChannelSum;
use crate::kernels::copy::{CopyMap, Shift};
use crate::kernels::group_norm::{self, GroupNorm};
use crate::kernels::layer_norm::{self, LayerNorm};
use crate::kernels::resize::{Resample, Resize};
use crate::layout::Layout;
use crate::plan::Purpose;
use crate::settings::Convolution;
use dapple_graph::{Graph, Op};

/// The forward steps of a graph.
pub(in crate::compile) fn lower<'a>(
    graph: &'a Graph,
    uses: Uses,
    layout: &'a Layout,
    purpose: Purpose,
    convolution: Convolution,
    integers: Option<&'a Integers>,
) -> Lowered<'a> {
    let count = graph.nodes().len();
    let integers = integers.filter(|_| !purpose.trains());
    let demands = integers.map_or_else(Vec::new, |integers| demand::of(graph, &uses, integers));
    let mut f = Forward {
        graph,
        purpose,
        uses,
        b: Builder::new(layout, convolution),
        tape: Vec::new(),
        of_node: vec![None; count],
        pools: vec![None; count],
        integers,
        demands,
        bytes: vec![Vec::new(); count],
    };
    for index in 0..count {
        // A quantized convolution does the work of the operations behind it, too.
        if f.uses.wanted[index] && f.of_node[index].is_none() {
            f.b.node = index;
            f.lower(index);
        }
    }
    let mut outputs = Vec::new();
    for id in f.uses.outputs.clone() {
        f.b.node = id.0;
        let value = f.of(id);
        outputs.push(f.plain(value));
    }
    let input = f.of_node[0].expect("the input is always wanted");
    Lowered { builder: f.b, tape: f.tape, input, outputs, trains: purpose.trains() }
}

impl Forward<'_> {
    /// Appends the steps of a node.
    fn lower(&mut self, index: usize) {
        let node = self.node(index);
        let (shape, input) = (node.shape, node.inputs.first().map(|id| self.graph.shape(*id)));
        let from = input.unwrap_or(shape);
        let value = match &node.op {
            Op::Input => self.b.stored(shape, self.purpose == Purpose::Train { input_gradient: true }).0,
            _ if self.uses.root[index] != index => self.of(node.inputs[0]),
            // Done when a convolution asks for it.
            _ if self.is_bytes_only(index) => self.b.value(shape, Value::Bytes, true),
            Op::Conv2d { weight, bias, conv } => self.conv(index, *weight, *bias, conv),
            Op::ConvTranspose2d { weight, bias, conv } => self.conv_transpose(index, *weight, *bias, conv),
            Op::BatchNorm { .. } => self.batch_norm(index),
            Op::Relu => self.relu(index),
            Op::MaxPool(settings) => self.max_pool(index, settings),
            Op::MaxUnpool { pool } => self.max_unpool(index, *pool),
            Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
                let resize = Resize::new(from, shape, *interpolation);
                self.unary(index, |from, to| Resample { resize, from, to })
            }
            Op::FitTo { .. } => {
                let shift = Some(Shift::centred(from, shape));
                self.unary(index, |from, to| CopyMap { from, to, shift })
            }
            Op::AdaptiveAvgPool => {
                let resize = Resize::average(from, shape);
                self.unary(index, |from, to| Resample { resize, from, to })
            }
            Op::AvgPool(pool) => {
                let resize = Resize::mean(from, shape, pool);
                self.unary(index, |from, to| Resample { resize, from, to })
            }
            Op::Concat => self.concat(index),
            Op::Add => self.add(index),
            Op::Mul => self.mul(index),
            Op::Pointwise(function) => self.activation(index, *function),
            Op::ChannelSum => self.unary(index, |from, to| ChannelSum { from, to }),
            Op::LayerNorm { gamma, beta, eps } => {
                let [gamma, beta] = [self.param(*gamma), self.param(*beta)];
                let norm = |source| LayerNorm { source, eps: *eps, gamma, beta };
                self.with_parameters(index, |from, to| layer_norm::Forward { norm: norm(from), to })
            }
            Op::GroupNorm { gamma, beta, groups, eps } => {
                let [gamma, beta] = [self.param(*gamma), self.param(*beta)];
                let norm = |source| GroupNorm { source, groups: *groups, eps: *eps, gamma, beta };
                self.with_parameters(index, |from, to| group_norm::Forward { norm: norm(from), to })
            }
            Op::Scale { factor } => self.scale(index, *factor),
            Op::Attention { heads } => self.attention(index, *heads),
            Op::Dropout { rate, stream } => self.dropout(index, *rate, *stream, false),
            Op::DropPath { rate, stream } => self.dropout(index, *rate, *stream, true),
        };
        self.of_node[index] = Some(value);
    }
}
