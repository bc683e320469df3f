//! Convolutions.

use super::state::Forward;
use crate::compile::builder::ValueId;
use crate::compile::conv::{Settings, transposed_window};
use crate::compile::tape::Tape;
use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::lattice::Lattice;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId};

impl Forward<'_> {
    pub fn conv(&mut self, index: usize, weight: ParamId, bias: Option<ParamId>, conv: &Conv2d) -> ValueId {
        if let Some(weights) = self.integers.and_then(|integers| integers.get(weight)) {
            return self.int8_conv(index, conv, weights.clone());
        }
        let (x, _) = self.input_of(index);
        let relu = self.fused_relu(index);
        let (y, output) = self.b.stored(self.node(index).shape, true);
        let input = self.b.operand(x);
        self.b.push_conv(input, output, Settings { conv, weight, bias, relu, transposed: false });
        self.record(Tape::Conv { weight, bias, conv: *conv, x, y });
        y
    }

    pub fn conv_transpose(
        &mut self,
        index: usize,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &ConvTranspose2d,
    ) -> ValueId {
        let (x, _) = self.input_of(index);
        let shape = self.node(index).shape;
        let (y, output) = self.b.stored(shape, true);
        self.b.push(ConvGemm {
            input: self.b.operand(x),
            output,
            lattices: Lattice::transposed(&transposed_window(conv), self.b.shape(x), shape),
            weights: self.b.layout.weights(weight, 0),
            turned: false,
            bias: bias.map(|b| self.param(b)),
            relu: self.fused_relu(index),
            function: None,
            residual: None,
        });
        self.record(Tape::ConvTranspose { weight, bias, conv: *conv, x, y });
        y
    }
}
