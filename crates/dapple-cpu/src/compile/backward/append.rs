//! The backward steps of each entry of the tape.

use super::gradients::Gradients;
use crate::compile::draft::Draft;
use crate::compile::tape::{Lowered, Tape};
use crate::kernels::attention_gradient::AttentionGradient;
use crate::kernels::batch_norm_gradient::NormGradient;
use dapple_graph::Shape;

/// The lowered steps with the backward ones behind them.
pub(in crate::compile) fn append(lowered: Lowered) -> Draft {
    let Lowered { builder, tape, input, outputs: values, trains } = lowered;
    let forward = builder.steps.len();
    let place = |value: usize| builder.operand(value).blocks[0].offset;
    let input_place = place(input);
    let outputs: Vec<(Shape, usize)> = values.iter().map(|&v| (builder.shape(v), place(v))).collect();
    let mut g = Gradients::new(builder);
    let (mut output_gradients, mut input_gradient) = (Vec::new(), None);
    if trains {
        output_gradients.extend(values.iter().map(|&v| g.target(v)));
        for (node, tape) in tape.into_iter().rev() {
            g.b.node = node;
            g.undo(tape);
        }
        input_gradient = g.of(input).map(|gradient| gradient.blocks[0].offset);
    }
    let (steps, buffers) = (g.b.steps, g.b.buffers);
    Draft { steps, forward, buffers, input: input_place, outputs, output_gradients, input_gradient }
}

impl Gradients<'_> {
    /// Appends the backward steps of an operation.
    fn undo(&mut self, tape: Tape) {
        match tape {
            Tape::Unary { way, x, y, own } => {
                let Some(gradient) = self.of(y) else { return };
                let to = self.b.needs[x].then(|| self.target_over(x, y, own));
                if let Some(kernel) = way.backward(gradient, to) {
                    self.b.push_boxed(kernel);
                }
            }
            Tape::Conv { weight, bias, conv, x, y } => self.conv(weight, bias, &conv, x, y),
            Tape::ConvTranspose { weight, bias, conv, x, y } => {
                self.conv_transpose(weight, bias, &conv, x, y)
            }
            Tape::Norm { norm, relu, x, y, own } => {
                let Some(gradient) = self.of(y) else { return };
                let to = self.target_over(x, y, own);
                self.centred[x] = own;
                self.b.push(NormGradient { norm, gradient, to, relu });
            }
            Tape::Add { a, b, y } => self.add(a, b, y),
            Tape::Mul { a, b, gate, y, own } => self.mul(a, b, gate, y, own),
            Tape::Scale { factor, affine, x, y, own } => self.scale(factor, affine, x, y, own),
            Tape::Attention { attention, inputs, y } => {
                let Some(gradient) = self.of(y) else { return };
                let to = inputs.map(|x| self.b.needs[x].then(|| self.target(x)));
                self.b.push(AttentionGradient { forward: attention, gradient, to });
            }
            Tape::Join { parts, y } => self.join(&parts, y),
        }
    }
}
