//! Operations with several inputs.

use super::gradients::Gradients;
use crate::compile::builder::{Value, ValueId};
use crate::kernels::copy::{CopyChannels, CopyMap, Zero};
use crate::kernels::products::{GateGradient, Multiply, ProductSums};
use crate::kernels::scale::FactorGradient;
use crate::simd::{LANES, padded};
use dapple_graph::ParamId;

impl Gradients<'_> {
    pub fn scale(&mut self, factor: ParamId, affine: (usize, usize), x: ValueId, y: ValueId, own: bool) {
        let Some(gradient) = self.of(y) else { return };
        let sums = ProductSums { a: self.b.operand(x), b: gradient };
        self.b.push(FactorGradient { sums, to: self.b.layout.place(factor).offset });
        // The gradient of the input is read as the product was.
        self.pass(x, y, own, |mut from, to| {
            for (i, block) in from.blocks.iter_mut().enumerate() {
                block.affine = Some((affine.0 + i * LANES, affine.1 + i * LANES));
            }
            CopyMap { from, to, shift: None }
        });
    }

    pub fn mul(&mut self, a: ValueId, other: ValueId, gate: bool, y: ValueId, own: bool) {
        let Some(gradient) = self.of(y) else { return };
        let (value_a, value_b) = (self.b.operand(a), self.b.operand(other));
        // That of the second factor first: the other one may take the place that both read.
        if self.b.needs[other] {
            let to = self.target(other);
            match gate {
                true => self.b.push(GateGradient { sums: ProductSums { a: gradient, b: value_a }, to }),
                false => self.b.push(Multiply { a: gradient, b: value_a, gate: false, to }),
            }
        }
        self.pass(a, y, own, |from, to| Multiply { a: from, b: value_b, gate, to });
    }

    /// Both inputs have the sum's gradient. One for which none stands yet takes over its place.
    pub fn add(&mut self, a: ValueId, other: ValueId, y: ValueId) {
        let free = |g: &Self, x: ValueId| {
            g.b.needs[x] && g.places[x].is_none() && matches!(g.b.values[x].1, Value::Stored { .. })
        };
        // The place can be taken only when the other input has had its copy.
        let (copied, taking) = if free(self, other) { (a, other) } else { (other, a) };
        let takes = a != other && self.written[y] && free(self, taking);
        self.pass(copied, y, false, |from, to| CopyMap { from, to, shift: None });
        if takes {
            self.places[taking] = self.places[y];
            self.written[taking] = true;
        } else {
            self.pass(taking, y, false, |from, to| CopyMap { from, to, shift: None });
        }
    }

    /// The way back through an unaligned concatenation.
    pub fn join(&mut self, parts: &[ValueId], y: ValueId) {
        let Some(gradient) = self.of(y) else { return };
        let (start, stride) = (gradient.blocks[0].offset, padded(gradient.shape.c));
        let mut channel = 0;
        for &part in parts {
            let shape = self.b.shape(part);
            if self.b.needs[part] {
                let target = self.target(part);
                let (to, accumulate) = (target.blocks[0].offset, target.blocks[0].accumulate);
                let to_stride = padded(shape.c);
                if !accumulate {
                    self.b.push(Zero { offset: to, len: shape.pixels() * to_stride });
                }
                self.b.push(CopyChannels {
                    pixels: shape.pixels(),
                    channels: shape.c,
                    from: start + channel,
                    from_stride: stride,
                    to,
                    to_stride,
                    accumulate,
                });
            }
            channel += shape.c;
        }
    }
}
