//! Operations that write a feature map and need more than one line.

use super::state::Forward;
use crate::compile::builder::{Value, ValueId};
use crate::compile::tape::Tape;
use crate::kernels::add::Add;
use crate::kernels::attend::Attend;
use crate::kernels::attention::Attention;
use crate::kernels::copy::{CopyChannels, Zero};
use crate::kernels::dropout::{DropValues, Dropout};
use crate::kernels::max_pool::{MaxPooling, Scatter};
use crate::kernels::operand::Operand;
use crate::kernels::pointwise::{Activation, keeps_zero};
use crate::kernels::pool::Pool;
use crate::kernels::products::Multiply;
use crate::simd::{LANES, padded};
use dapple_graph::dropout::threshold;
use dapple_graph::{MaxPool, Node, NodeId, Op, Pointwise};

impl Forward<'_> {
    pub fn max_pool(&mut self, index: usize, settings: &MaxPool) -> ValueId {
        let (x, _) = self.input_of(index);
        let shape = self.node(index).shape;
        let (y, to) = self.b.stored(shape, self.b.needs[x]);
        let unpools = |n: &Node| matches!(n.op, Op::MaxUnpool { pool } if pool.0 == index);
        let unpooled = self.graph.nodes().iter().zip(&self.uses.wanted).any(|(n, w)| *w && unpools(n));
        let positions = (unpooled || self.training() && self.b.needs[x])
            .then(|| self.b.buffer(Pool::positions_len(shape)));
        let pool = Pool { settings: *settings, large: self.b.shape(x), small: shape, positions };
        self.pools[index] = Some(pool.clone());
        self.step(MaxPooling { pool, from: self.b.operand(x), to }, x, y, false)
    }

    pub fn max_unpool(&mut self, index: usize, pool: NodeId) -> ValueId {
        let pool = self.pools[pool.0].clone().expect("a wanted unpooling's pooling is wanted");
        self.unary(index, |from, to| Scatter { pool, from, to })
    }

    pub fn dropout(&mut self, index: usize, rate: f32, stream: u64, images: bool) -> ValueId {
        let dropout = Dropout { stream, threshold: threshold(rate), factor: 1.0 / (1.0 - rate), images };
        self.in_place(index, |from, to| DropValues { dropout, from, to })
    }

    pub fn add(&mut self, index: usize) -> ValueId {
        let node = self.node(index);
        let (a, b) = (self.of(node.inputs[0]), self.of(node.inputs[1]));
        if let Some(y) = self.added_by_last(node.inputs[0], node.inputs[1]) {
            return y;
        }
        let (y, to) = self.b.stored(node.shape, self.b.needs[a] || self.b.needs[b]);
        let (from_a, from_b) = (self.b.operand(a), self.b.operand(b));
        self.b.push(Add { a: from_a, b: from_b, to });
        self.record(Tape::Add { a, b, y });
        y
    }

    /// In inference, lets the kernel that was appended last (a convolution's, say) add the other term of a sum, if its
    /// output is read by nothing else; the sum's value then.
    fn added_by_last(&mut self, a: NodeId, b: NodeId) -> Option<ValueId> {
        if self.training() {
            return None;
        }
        [(a, b), (b, a)].into_iter().find_map(|(mine, other)| {
            let (y, other) = (self.of(mine), self.of(other));
            if self.uses.readers[self.uses.root[mine.0]] != 1 || y == other || !self.b.is_plain(y) {
                return None;
            }
            let (made, residual) = (self.b.operand(y), self.b.operand(other));
            let (output, place) = self.b.steps.last_mut()?.kernel.residual()?;
            // A bundle of a grouped convolution makes a part of the map only.
            let same = output.blocks.iter().map(|b| b.offset).eq(made.blocks.iter().map(|b| b.offset));
            (same && place.is_none()).then(|| {
                *place = Some(residual);
                y
            })
        })
    }

    pub fn activation(&mut self, index: usize, function: Pointwise) -> ValueId {
        self.ended_by_last(index, function)
            .unwrap_or_else(|| self.in_place(index, |from, to| Activation { function, from, to }))
    }

    /// In inference, lets the kernel that was appended last end with a function, if its output is read by nothing else; the
    /// function's value then.
    fn ended_by_last(&mut self, index: usize, function: Pointwise) -> Option<ValueId> {
        let (y, own) = self.input_of(index);
        if self.training() || !own || !keeps_zero(function) || !self.b.is_plain(y) {
            return None;
        }
        let made = self.b.operand(y);
        let (output, place) = self.b.steps.last_mut()?.kernel.ending()?;
        // A bundle of a grouped convolution makes a part of the map only.
        let same = output.blocks.iter().map(|b| b.offset).eq(made.blocks.iter().map(|b| b.offset));
        (same && place.is_none()).then(|| {
            *place = Some(function);
            y
        })
    }

    pub fn mul(&mut self, index: usize) -> ValueId {
        let node = self.node(index);
        let ((a, own), b) = (self.input_of(index), self.of(node.inputs[1]));
        let gate = self.b.shape(a) != self.b.shape(b);
        let (y, to) = self.b.stored(node.shape, self.b.needs[a] || self.b.needs[b]);
        let (from_a, from_b) = (self.b.operand(a), self.b.operand(b));
        self.b.push(Multiply { a: from_a, b: from_b, gate, to });
        self.record(Tape::Mul { a, b, gate, y, own });
        y
    }

    pub fn attention(&mut self, index: usize, heads: usize) -> ValueId {
        let node = self.node(index);
        let inputs: [ValueId; 3] = std::array::from_fn(|i| {
            let value = self.of(node.inputs[i]);
            self.plain(value)
        });
        let (y, to) = self.b.stored(node.shape, inputs.iter().any(|&i| self.b.needs[i]));
        let [q, k, v]: [Operand; 3] = inputs.map(|i| self.b.operand(i));
        let attention = Attention { heads, q, k, v };
        self.b.push(Attend { attention: attention.clone(), to });
        self.record(Tape::Attention { attention, inputs, y });
        y
    }

    /// Parts of whole vectors are read where they stand; others are copied together.
    pub fn concat(&mut self, index: usize) -> ValueId {
        let node = self.node(index);
        let mut parts: Vec<ValueId> = Vec::new();
        for &input in &node.inputs {
            let value = self.of(input);
            match &self.b.values[value].1 {
                Value::Concat(inner) => parts.extend(inner),
                Value::Stored { .. } | Value::Bytes => parts.push(value),
            }
        }
        let needs = parts.iter().any(|&p| self.b.needs[p]);
        let last = parts.len() - 1;
        if parts[..last].iter().all(|&p| self.b.shape(p).c.is_multiple_of(LANES)) {
            return self.b.value(node.shape, Value::Concat(parts), needs);
        }
        let parts: Vec<ValueId> = parts.into_iter().map(|p| self.plain(p)).collect();
        let (y, to) = self.b.stored(node.shape, needs);
        let (offset, stride) = (to.blocks[0].offset, padded(node.shape.c));
        self.b.push(Zero { offset, len: node.shape.pixels() * stride });
        let mut channel = 0;
        for &part in &parts {
            let shape = self.b.shape(part);
            self.b.push(CopyChannels {
                pixels: shape.pixels(),
                channels: shape.c,
                from: self.b.operand(part).blocks[0].offset,
                from_stride: padded(shape.c),
                to: offset + channel,
                to_stride: stride,
                accumulate: false,
            });
            channel += shape.c;
        }
        self.record(Tape::Join { parts, y });
        y
    }
}
