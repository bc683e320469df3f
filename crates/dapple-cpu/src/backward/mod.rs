//! The backward steps of a plan, from its tape.

mod conv;

use crate::kernels::attention_gradient::AttentionGradient;
use crate::kernels::operand::{Operand, Target};
use crate::kernels::pixels::ChannelCopy;
use crate::kernels::products::ProductSums;
use crate::lower::side_by_side;
use crate::plan::{Builder, Tape, Value, ValueId};
use crate::simd::{LANES, padded};
use crate::step::Kernel;
use dapple_graph::Shape;

/// Gradients of values: where they stand, and whether something stands there yet.
struct Gradients {
    places: Vec<Option<usize>>,
    written: Vec<bool>,
    /// Sums to zero over the pixels of each channel, as a batch norm's gradient does.
    centred: Vec<bool>,
}

/// Appends the backward steps; where the outputs' gradients go, and where the input's stands.
pub(crate) fn build(b: &mut Builder, outputs: &[ValueId], input: ValueId) -> (Vec<Target>, Option<usize>) {
    let count = b.values.len();
    let mut g =
        Gradients { places: vec![None; count], written: vec![false; count], centred: vec![false; count] };
    let targets = outputs.iter().map(|&v| g.target(b, v)).collect();
    for (node, tape) in std::mem::take(&mut b.tape).into_iter().rev() {
        b.node = node;
        g.undo(b, tape);
    }
    (targets, g.written[input].then_some(g.places[input]).flatten())
}

impl Gradients {
    /// Where a kernel puts (or adds) a value's gradient.
    fn target(&mut self, b: &mut Builder, value: ValueId) -> Target {
        let shape = b.shape(value);
        if let Value::Concat(parts) = b.values[value].1.clone() {
            let parts: Vec<Target> = parts.iter().map(|&p| self.target(b, p)).collect();
            return side_by_side(shape, parts.into_iter());
        }
        let place = *self.places[value].get_or_insert_with(|| b.map(shape));
        let mut target = Target::stored(shape, place);
        target.blocks.iter_mut().for_each(|block| block.accumulate = self.written[value]);
        self.written[value] = true;
        target
    }

    /// A value's whole gradient, if any reached it.
    fn operand(&self, shape: Shape, value: ValueId) -> Option<Operand> {
        self.places[value].filter(|_| self.written[value]).map(|place| Operand::stored(shape, place))
    }

    /// Where the gradient of `x` goes when made from that of `y`: into its place if nobody else reads `x`.
    fn target_over(&mut self, b: &mut Builder, x: ValueId, y: ValueId, own: bool) -> Target {
        if own && self.places[x].is_none() {
            self.places[x] = self.places[y];
        }
        self.target(b, x)
    }

    fn undo(&mut self, b: &mut Builder, tape: Tape) {
        match tape {
            Tape::Conv { weight, bias, conv, x, y } => self.conv(b, weight, bias, &conv, x, y),
            Tape::ConvTranspose { weight, bias, conv, x, y } => {
                self.conv_transpose(b, weight, bias, &conv, x, y)
            }
            Tape::Norm { norm, relu, x, y, own } => {
                let Some(gradient) = self.operand(b.shape(y), y) else { return };
                let to = self.target_over(b, x, y, own);
                self.centred[x] = own;
                b.push(Kernel::NormGradient { norm, gradient, to, relu });
            }
            Tape::Relu { x, y, own } => {
                let Some(gradient) = self.operand(b.shape(y), y) else { return };
                if b.needs[x] {
                    let to = self.target_over(b, x, y, own);
                    let value = b.operand(x);
                    b.push(Kernel::ReluGradient { value, gradient, to });
                }
            }
            Tape::MaxPool { pool, x, y } => self.unary(b, x, y, |from, to| Kernel::Spread { pool, from, to }),
            Tape::MaxUnpool { pool, x, y } => {
                self.unary(b, x, y, |from, to| Kernel::Collect { pool, from, to })
            }
            Tape::Copy { x, y, shift } => {
                let shift = shift.map(|s| s.inverse());
                self.unary(b, x, y, |from, to| Kernel::Copy { from, to, shift });
            }
            Tape::Resize { resize, x, y } => {
                let resize = resize.gradient();
                self.unary(b, x, y, |from, to| Kernel::Resize { resize, from, to });
            }
            Tape::Add { a, b: other, y } => self.add(b, a, other, y),
            Tape::Join { parts, y } => self.join(b, &parts, y),
            Tape::Pointwise { function, x, y, own } => {
                let value = b.operand(x);
                self.over(b, x, y, own, |gradient, to| Kernel::PointwiseGradient {
                    function,
                    value,
                    gradient,
                    to,
                });
            }
            Tape::Dropout { dropout, x, y, own } => {
                self.over(b, x, y, own, |from, to| Kernel::Dropout { dropout, from, to });
            }
            Tape::Mul { a, b: other, gate, y, own } => self.mul(b, a, other, gate, y, own),
            Tape::LayerNorm { norm, x, y, own } => {
                let Some(gradient) = self.operand(b.shape(y), y) else { return };
                let to = b.needs[x].then(|| self.target_over(b, x, y, own));
                b.push(Kernel::LayerNormGradient { norm, gradient, to });
            }
            Tape::GroupNorm { norm, x, y, own } => {
                let Some(gradient) = self.operand(b.shape(y), y) else { return };
                let to = b.needs[x].then(|| self.target_over(b, x, y, own));
                b.push(Kernel::GroupNormGradient { norm, gradient, to });
            }
            Tape::Scale { factor, affine, x, y, own } => {
                let Some(gradient) = self.operand(b.shape(y), y) else { return };
                let sums = ProductSums { a: b.operand(x), b: gradient };
                b.push(Kernel::FactorGradient { sums, to: b.layout.place(factor).offset });
                // The gradient of the input is read as the product was.
                self.over(b, x, y, own, |mut from, to| {
                    for (i, block) in from.blocks.iter_mut().enumerate() {
                        block.affine = Some((affine.0 + i * LANES, affine.1 + i * LANES));
                    }
                    Kernel::Copy { from, to, shift: None }
                });
            }
            Tape::Attention { attention, inputs, y } => {
                let Some(gradient) = self.operand(b.shape(y), y) else { return };
                let to = inputs.map(|x| b.needs[x].then(|| self.target(b, x)));
                b.push(Kernel::AttentionGradient(AttentionGradient { forward: attention, gradient, to }));
            }
        }
    }

    /// As [`Gradients::unary`], in the place of the gradient of `y` if nobody else reads `x`.
    fn over(
        &mut self,
        b: &mut Builder,
        x: ValueId,
        y: ValueId,
        own: bool,
        kernel: impl FnOnce(Operand, Target) -> Kernel,
    ) {
        if let Some(from) = self.operand(b.shape(y), y)
            && b.needs[x]
        {
            let to = self.target_over(b, x, y, own);
            b.push(kernel(from, to));
        }
    }

    fn mul(&mut self, b: &mut Builder, a: ValueId, other: ValueId, gate: bool, y: ValueId, own: bool) {
        let Some(gradient) = self.operand(b.shape(y), y) else { return };
        let (value_a, value_b) = (b.operand(a), b.operand(other));
        // That of the second factor first: the other one may take the place that both read.
        if b.needs[other] {
            let to = self.target(b, other);
            b.push(if gate {
                Kernel::GateGradient { sums: ProductSums { a: gradient, b: value_a }, to }
            } else {
                Kernel::Multiply { a: gradient, b: value_a, gate: false, to }
            });
        }
        self.over(b, a, y, own, |from, to| Kernel::Multiply { a: from, b: value_b, gate, to });
    }

    /// Both inputs have the sum's gradient. One for which none stands yet takes over its place.
    fn add(&mut self, b: &mut Builder, a: ValueId, other: ValueId, y: ValueId) {
        let free = |g: &Self, x: ValueId| {
            b.needs[x] && g.places[x].is_none() && matches!(b.values[x].1, Value::Stored { .. })
        };
        // The place can be taken only when the other input has had its copy.
        let (copied, taking) = if free(self, other) { (a, other) } else { (other, a) };
        let takes = a != other && self.written[y] && free(self, taking);
        self.unary(b, copied, y, |from, to| Kernel::Copy { from, to, shift: None });
        if takes {
            self.places[taking] = self.places[y];
            self.written[taking] = true;
        } else {
            self.unary(b, taking, y, |from, to| Kernel::Copy { from, to, shift: None });
        }
    }

    fn unary(
        &mut self,
        b: &mut Builder,
        x: ValueId,
        y: ValueId,
        kernel: impl FnOnce(Operand, Target) -> Kernel,
    ) {
        if let Some(from) = self.operand(b.shape(y), y)
            && b.needs[x]
        {
            let to = self.target(b, x);
            b.push(kernel(from, to));
        }
    }

    fn join(&mut self, b: &mut Builder, parts: &[ValueId], y: ValueId) {
        let Some(gradient) = self.operand(b.shape(y), y) else { return };
        let (start, stride) = (gradient.blocks[0].offset, padded(gradient.shape.c));
        let mut channel = 0;
        for &part in parts {
            let shape = b.shape(part);
            if b.needs[part] {
                let target = self.target(b, part);
                let (to, accumulate) = (target.blocks[0].offset, target.blocks[0].accumulate);
                let to_stride = padded(shape.c);
                if !accumulate {
                    b.push(Kernel::Zero { offset: to, len: shape.pixels() * to_stride });
                }
                b.push(Kernel::CopyChannels(ChannelCopy {
                    pixels: shape.pixels(),
                    channels: shape.c,
                    from: start + channel,
                    from_stride: stride,
                    to,
                    to_stride,
                    accumulate,
                }));
            }
            channel += shape.c;
        }
    }
}
