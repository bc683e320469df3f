//! The backward steps of a plan, from its tape.

use crate::kernels::conv_gemm::{ConvGemm, GemmWeights};
use crate::kernels::conv3x3_weights::Conv3x3Weights;
use crate::kernels::gather::Lattice;
use crate::kernels::operand::{Operand, Target};
use crate::kernels::pixels::ChannelCopy;
use crate::kernels::winograd::Tiling;
use crate::lower::{side_by_side, transposed_window, window, winograd_fits};
use crate::plan::{Builder, Tape, Value, ValueId};
use crate::simd::padded;
use crate::step::Kernel;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId, Shape};

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
        }
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

    fn bias(&self, b: &mut Builder, bias: Option<ParamId>, gradient: &Operand, y: ValueId) {
        let Some(bias) = bias else { return };
        let place = b.layout.place(bias);
        b.push(if self.centred[y] {
            Kernel::ZeroBiasGradient { to: place.offset, len: place.len }
        } else {
            Kernel::BiasGradient { gradient: gradient.clone(), to: place.offset }
        });
    }

    fn conv(
        &mut self,
        b: &mut Builder,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &Conv2d,
        x: ValueId,
        y: ValueId,
    ) {
        let (from, to) = (b.shape(x), b.shape(y));
        let Some(gradient) = self.operand(to, y) else { return };
        let input = b.operand(x);
        let weights = b.layout.weights(weight);
        b.push(if winograd_fits(conv, from) {
            Kernel::Conv3x3Weights(Conv3x3Weights {
                input,
                gradient: gradient.clone(),
                tiling: Tiling::new(from, to, conv.padding, conv.dilation),
                weights: weights.offset,
            })
        } else {
            Kernel::GemmWeights(GemmWeights {
                gathered: input,
                points: gradient.clone(),
                lattice: Lattice::forward(&window(conv), from, to),
                weights,
                points_are_inputs: false,
            })
        });
        if conv.groups > 1 {
            b.push(Kernel::ClearBetweenGroups(weight));
        }
        self.bias(b, bias, &gradient, y);
        if b.needs[x] {
            let target = self.target(b, x);
            let kernel = b.conv_kernel(gradient, target, weight, None, conv, false, true);
            b.push(kernel);
        }
    }

    fn conv_transpose(
        &mut self,
        b: &mut Builder,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &ConvTranspose2d,
        x: ValueId,
        y: ValueId,
    ) {
        let (from, to) = (b.shape(x), b.shape(y));
        let Some(gradient) = self.operand(to, y) else { return };
        let weights = b.layout.weights(weight);
        // Seen from the output, the input is what a convolution of the output writes.
        let lattice = Lattice::forward(&transposed_window(conv), to, from);
        let points = b.operand(x);
        b.push(Kernel::GemmWeights(GemmWeights {
            gathered: gradient.clone(),
            points,
            lattice: lattice.clone(),
            weights,
            points_are_inputs: true,
        }));
        self.bias(b, bias, &gradient, y);
        if b.needs[x] {
            let output = self.target(b, x);
            b.push(Kernel::ConvGemm(ConvGemm {
                input: gradient,
                output,
                lattices: vec![lattice],
                weights,
                turned: true,
                bias: None,
                relu: false,
            }));
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
