//! The steps of each operation's forward pass.

pub(crate) mod conv;

use crate::kernels::attention::Attention;
use crate::kernels::group_norm::GroupNorm;
use crate::kernels::layer_norm::LayerNorm;
use crate::kernels::norm::Norm;
use crate::kernels::operand::{OutBlock, Target};
use crate::kernels::pixels::{ChannelCopy, Shift};
use crate::kernels::pointwise::Dropout;
use crate::kernels::pool::Pool;
use crate::kernels::resize::Resize;
use crate::plan::{Builder, Purpose, Tape, Value, ValueId};
use crate::simd::{LANES, padded};
use crate::step::Kernel;
use dapple_graph::dropout::threshold;
use dapple_graph::{Interpolation, Node, Op, ParamId, Shape};

impl Builder<'_> {
    /// Appends the steps of a node.
    pub fn forward(&mut self, index: usize) {
        let node = &self.graph.nodes()[index];
        let shape = node.shape;
        let value = match &node.op {
            Op::Input => self.stored(shape, self.purpose == Purpose::Train { input_gradient: true }).0,
            _ if self.root[index] != index => self.of(node.inputs[0]),
            Op::Conv2d { weight, bias, conv } => self.conv(index, *weight, *bias, conv),
            Op::ConvTranspose2d { weight, bias, conv } => self.conv_transpose(index, *weight, *bias, conv),
            Op::BatchNorm { .. } => self.batch_norm(index),
            Op::Relu => self.relu(index),
            Op::MaxPool(settings) => {
                let x = self.of(node.inputs[0]);
                let (y, to) = self.stored(shape, self.needs[x]);
                let unpools = |n: &Node| matches!(n.op, Op::MaxUnpool { pool } if pool.0 == index);
                let unpooled = self.graph.nodes().iter().zip(&self.wanted).any(|(n, w)| *w && unpools(n));
                let positions = (unpooled || self.training() && self.needs[x])
                    .then(|| self.buffer(Pool::positions_len(shape)));
                let pool = Pool { settings: *settings, large: self.shape(x), small: shape, positions };
                let from = self.operand(x);
                self.push(Kernel::MaxPool { pool: pool.clone(), from, to });
                self.record(Tape::MaxPool { pool: pool.clone(), x, y });
                self.pools[index] = Some(pool);
                y
            }
            Op::MaxUnpool { pool } => {
                let x = self.of(node.inputs[0]);
                let (y, to) = self.stored(shape, self.needs[x]);
                let pool = self.pools[pool.0].clone().expect("a wanted unpooling's pooling is wanted");
                let from = self.operand(x);
                self.push(Kernel::Spread { pool: pool.clone(), from, to });
                self.record(Tape::MaxUnpool { pool, x, y });
                y
            }
            Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
                self.resize(self.of(node.inputs[0]), shape, *interpolation)
            }
            Op::FitTo { .. } => {
                let x = self.of(node.inputs[0]);
                let (y, to) = self.stored(shape, self.needs[x]);
                let shift = Some(Shift::centred(self.shape(x), shape));
                let from = self.operand(x);
                self.push(Kernel::Copy { from, to, shift });
                self.record(Tape::Copy { x, y, shift });
                y
            }
            Op::Concat => self.concat(index),
            Op::Add => {
                let (a, b) = (self.of(node.inputs[0]), self.of(node.inputs[1]));
                if let Some(y) = self.added_by_conv(index) {
                    self.of_node[index] = Some(y);
                    return;
                }
                let (y, to) = self.stored(shape, self.needs[a] || self.needs[b]);
                let (from_a, from_b) = (self.operand(a), self.operand(b));
                self.push(Kernel::Add { a: from_a, b: from_b, to });
                self.record(Tape::Add { a, b, y });
                y
            }
            Op::Pointwise(function) => {
                let (x, own) = self.input_of(index);
                let (y, to) = self.stored(shape, self.needs[x]);
                let from = self.operand(x);
                self.push(Kernel::Pointwise { function: *function, from, to });
                self.record(Tape::Pointwise { function: *function, x, y, own });
                y
            }
            Op::Mul => self.mul(index),
            Op::AdaptiveAvgPool => {
                let x = self.of(node.inputs[0]);
                self.resampled(x, shape, Resize::average(self.shape(x), shape))
            }
            Op::AvgPool(pool) => {
                let x = self.of(node.inputs[0]);
                self.resampled(x, shape, Resize::mean(self.shape(x), shape, pool))
            }
            Op::LayerNorm { gamma, beta, eps } => {
                let (x, own) = self.input_of(index);
                let (y, to) = self.stored(shape, true);
                let [gamma, beta] = [gamma, beta].map(|p| self.layout.place(*p).offset);
                let norm = LayerNorm { source: self.operand(x), eps: *eps, gamma, beta };
                self.push(Kernel::LayerNorm { norm: norm.clone(), to });
                self.record(Tape::LayerNorm { norm, x, y, own });
                y
            }
            Op::GroupNorm { gamma, beta, groups, eps } => {
                let (x, own) = self.input_of(index);
                let (y, to) = self.stored(shape, true);
                let [gamma, beta] = [gamma, beta].map(|p| self.layout.place(*p).offset);
                let norm = GroupNorm { source: self.operand(x), groups: *groups, eps: *eps, gamma, beta };
                self.push(Kernel::GroupNorm { norm: norm.clone(), to });
                self.record(Tape::GroupNorm { norm, x, y, own });
                y
            }
            Op::Scale { factor } => self.scale(index, *factor),
            Op::Attention { heads } => self.attention(index, *heads),
            Op::Dropout { rate, stream } => self.dropout(index, *rate, *stream, false),
            Op::DropPath { rate, stream } => self.dropout(index, *rate, *stream, true),
        };
        self.of_node[index] = Some(value);
    }

    fn batch_norm(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let Op::BatchNorm { gamma, beta, mean, var, norm } = node.op else {
            unreachable!("called for batch norms only");
        };
        let input = self.of(node.inputs[0]);
        let x = self.plain(input);
        let own = x != input || self.readers[self.root[node.inputs[0].0]] == 1;
        let Value::Stored { offset, .. } = self.values[x].1 else {
            unreachable!("plain values are stored");
        };
        let channels = padded(node.shape.c);
        let at = |id: ParamId| self.layout.place(id).offset;
        let [gamma, beta, running_mean, running_var] = [gamma, beta, mean, var].map(at);
        let places: [usize; 4] = std::array::from_fn(|_| self.buffer(channels));
        let norm = Norm {
            source: self.operand(x),
            eps: norm.eps,
            momentum: norm.momentum,
            gamma,
            beta,
            running_mean,
            running_var,
            scale: places[0],
            shift: places[1],
            mean: places[2],
            inverse: places[3],
        };
        self.push(if self.training() {
            Kernel::NormTrain(norm.clone())
        } else {
            Kernel::NormEval(norm.clone())
        });
        let affine = Some((norm.scale, norm.shift));
        let y = self.value(node.shape, Value::Stored { offset, affine, relu: false }, true);
        self.record(Tape::Norm { norm, relu: false, x, y, own });
        y
    }

    fn relu(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let source = self.root[node.inputs[0].0];
        let input = self.of(node.inputs[0]);
        let is_conv = matches!(self.graph.nodes()[source].op, Op::Conv2d { .. } | Op::ConvTranspose2d { .. });
        if is_conv && self.fused_relu(source) {
            return input;
        }
        let x = match self.values[input].1 {
            Value::Stored { relu: false, .. } => input,
            _ => self.plain(input),
        };
        let Value::Stored { offset, affine, .. } = self.values[x].1 else {
            unreachable!("plain values are stored");
        };
        let y = self.value(node.shape, Value::Stored { offset, affine, relu: true }, self.needs[x]);
        let own = x != input || self.readers[source] == 1;
        // A batch norm that only this ReLU reads has its gradient together with it.
        if own
            && let Some((_, Tape::Norm { relu, y: normed, .. })) =
                self.tape.iter_mut().rev().find(|(_, t)| matches!(t, Tape::Norm { y, .. } if *y == x))
        {
            *relu = true;
            *normed = y;
            return y;
        }
        self.record(Tape::Relu { x, y, own });
        y
    }

    /// The first input of node `index`, and whether nobody else reads it.
    fn input_of(&self, index: usize) -> (ValueId, bool) {
        let input = self.graph.nodes()[index].inputs[0];
        (self.of(input), self.readers[self.root[input.0]] == 1)
    }

    fn resize(&mut self, x: ValueId, shape: Shape, interpolation: Interpolation) -> ValueId {
        let resize = Resize::new(self.shape(x), shape, interpolation);
        self.resampled(x, shape, resize)
    }

    fn resampled(&mut self, x: ValueId, shape: Shape, resize: Resize) -> ValueId {
        let (y, to) = self.stored(shape, self.needs[x]);
        let from = self.operand(x);
        self.push(Kernel::Resize { resize: resize.clone(), from, to });
        self.record(Tape::Resize { resize, x, y });
        y
    }

    fn mul(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let ((a, own), b) = (self.input_of(index), self.of(node.inputs[1]));
        let gate = self.shape(a) != self.shape(b);
        let (y, to) = self.stored(node.shape, self.needs[a] || self.needs[b]);
        let (from_a, from_b) = (self.operand(a), self.operand(b));
        self.push(Kernel::Multiply { a: from_a, b: from_b, gate, to });
        self.record(Tape::Mul { a, b, gate, y, own });
        y
    }

    /// The product is never stored: like a batch norm it is how the next kernel reads.
    fn scale(&mut self, index: usize, factor: ParamId) -> ValueId {
        let (input, own) = self.input_of(index);
        let x = self.plain(input);
        let shape = self.shape(x);
        let Value::Stored { offset, .. } = self.values[x].1 else {
            unreachable!("plain values are stored");
        };
        let [scale, shift] = [0, 1].map(|_| self.buffer(padded(shape.c)));
        let from = self.layout.place(factor);
        self.push(Kernel::Factors { from: from.offset, len: from.len, scale, shift });
        let affine = (scale, shift);
        let y = self.value(shape, Value::Stored { offset, affine: Some(affine), relu: false }, true);
        self.record(Tape::Scale { factor, affine, x, y, own: own || x != input });
        y
    }

    fn dropout(&mut self, index: usize, rate: f32, stream: u64, images: bool) -> ValueId {
        let (x, own) = self.input_of(index);
        let (y, to) = self.stored(self.graph.nodes()[index].shape, self.needs[x]);
        let dropout = Dropout { stream, threshold: threshold(rate), factor: 1.0 / (1.0 - rate), images };
        let from = self.operand(x);
        self.push(Kernel::Dropout { dropout, from, to });
        self.record(Tape::Dropout { dropout, x, y, own });
        y
    }

    fn attention(&mut self, index: usize, heads: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let inputs: [ValueId; 3] = std::array::from_fn(|i| {
            let value = self.of(node.inputs[i]);
            self.plain(value)
        });
        let (y, to) = self.stored(node.shape, inputs.iter().any(|&i| self.needs[i]));
        let [q, k, v] = inputs.map(|i| self.operand(i));
        let attention = Attention { heads, q, k, v };
        self.push(Kernel::Attention { attention: attention.clone(), to });
        self.record(Tape::Attention { attention, inputs, y });
        y
    }

    fn concat(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let mut parts: Vec<ValueId> = Vec::new();
        for &input in &node.inputs {
            let value = self.of(input);
            match &self.values[value].1 {
                Value::Concat(inner) => parts.extend(inner),
                Value::Stored { .. } => parts.push(value),
            }
        }
        let needs = parts.iter().any(|&p| self.needs[p]);
        let last = parts.len() - 1;
        if parts[..last].iter().all(|&p| self.shape(p).c.is_multiple_of(LANES)) {
            return self.value(node.shape, Value::Concat(parts), needs);
        }
        let parts: Vec<ValueId> = parts.into_iter().map(|p| self.plain(p)).collect();
        let (y, to) = self.stored(node.shape, needs);
        let (offset, stride) = (to.blocks[0].offset, padded(node.shape.c));
        self.push(Kernel::Zero { offset, len: node.shape.pixels() * stride });
        let mut channel = 0;
        for &part in &parts {
            let shape = self.shape(part);
            let from = self.operand(part).blocks[0].offset;
            self.push(Kernel::CopyChannels(ChannelCopy {
                pixels: shape.pixels(),
                channels: shape.c,
                from,
                from_stride: padded(shape.c),
                to: offset + channel,
                to_stride: stride,
                accumulate: false,
            }));
            channel += shape.c;
        }
        self.record(Tape::Join { parts, y });
        y
    }
}

/// The blocks of a target of parts side by side.
pub(crate) fn side_by_side(shape: Shape, parts: impl Iterator<Item = Target>) -> Target {
    let blocks: Vec<OutBlock> = parts.flat_map(|p| p.blocks).collect();
    Target { shape, blocks }
}
