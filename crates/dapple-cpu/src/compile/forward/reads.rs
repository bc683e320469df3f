//! Operations that write no feature map: they are how the next kernel reads.

use super::state::Forward;
use crate::compile::builder::{Value, ValueId};
use crate::compile::tape::Tape;
use crate::kernels::batch_norm::{Eval, Norm, Train};
use crate::kernels::relu::Relu;
use crate::kernels::scale::Factors;
use crate::simd::padded;
use dapple_graph::{Op, ParamId};

impl Forward<'_> {
    pub fn batch_norm(&mut self, index: usize) -> ValueId {
        let node = self.node(index);
        let Op::BatchNorm { gamma, beta, mean, var, norm } = node.op else {
            unreachable!("called for batch norms only");
        };
        let input = self.of(node.inputs[0]);
        let x = self.plain(input);
        let own = x != input || self.uses.readers[self.uses.root[node.inputs[0].0]] == 1;
        let offset = self.b.offset(x);
        let channels = padded(node.shape.c);
        let [gamma, beta, running_mean, running_var] = [gamma, beta, mean, var].map(|id| self.param(id));
        let [scale, shift, mean, inverse] = std::array::from_fn(|_| self.b.buffer(channels));
        let norm = Norm {
            source: self.b.operand(x),
            eps: norm.eps,
            momentum: norm.momentum,
            frozen: norm.frozen,
            gamma,
            beta,
            running_mean,
            running_var,
            scale,
            shift,
            mean,
            inverse,
        };
        match self.training() && !norm.frozen {
            true => self.b.push(Train(norm.clone())),
            false => self.b.push(Eval(norm.clone())),
        }
        let affine = Some((norm.scale, norm.shift));
        let y = self.b.value(node.shape, Value::Stored { offset, affine, relu: false }, true);
        self.record(Tape::Norm { norm, relu: false, x, y, own });
        y
    }

    pub fn relu(&mut self, index: usize) -> ValueId {
        let node = self.node(index);
        let source = self.uses.root[node.inputs[0].0];
        let input = self.of(node.inputs[0]);
        let is_conv = matches!(self.node(source).op, Op::Conv2d { .. } | Op::ConvTranspose2d { .. });
        if is_conv && self.fused_relu(source) {
            return input;
        }
        let x = match self.b.values[input].1 {
            Value::Stored { relu: false, .. } => input,
            _ => self.plain(input),
        };
        let Value::Stored { offset, affine, .. } = self.b.values[x].1 else {
            unreachable!("plain values are stored");
        };
        let y = self.b.value(node.shape, Value::Stored { offset, affine, relu: true }, self.b.needs[x]);
        let own = x != input || self.uses.readers[source] == 1;
        // A batch norm that only this ReLU reads has its gradient together with it.
        if own
            && let Some((_, Tape::Norm { relu, y: normed, .. })) =
                self.tape.iter_mut().rev().find(|(_, t)| matches!(t, Tape::Norm { y, .. } if *y == x))
        {
            *relu = true;
            *normed = y;
            return y;
        }
        let way = Box::new(Relu(self.b.operand(x)));
        self.record(Tape::Unary { way, x, y, own });
        y
    }

    pub fn scale(&mut self, index: usize, factor: ParamId) -> ValueId {
        let (input, own) = self.input_of(index);
        let x = self.plain(input);
        let (shape, offset) = (self.b.shape(x), self.b.offset(x));
        let [scale, shift] = [0, 1].map(|_| self.b.buffer(padded(shape.c)));
        let from = self.b.layout.place(factor);
        self.b.push(Factors { from: from.offset, len: from.len, scale, shift });
        let affine = (scale, shift);
        let y = self.b.value(shape, Value::Stored { offset, affine: Some(affine), relu: false }, true);
        self.record(Tape::Scale { factor, affine, x, y, own: own || x != input });
        y
    }
}
