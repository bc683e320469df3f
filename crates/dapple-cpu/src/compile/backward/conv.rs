//! Convolutions.

use super::gradients::Gradients;
use crate::compile::builder::{Builder, ValueId};
use crate::compile::conv::{Settings, transposed_window, window};
use crate::kernels::bias::{BiasGradient, ZeroBiasGradient};
use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv_gemm_weights::GemmWeights;
use crate::kernels::conv3x3_weights::Conv3x3Weights;
use crate::kernels::depthwise::Tiles;
use crate::kernels::depthwise_weights::DepthwiseWeights;
use crate::kernels::kernel::Kernel;
use crate::kernels::lattice::Lattice;
use crate::kernels::operand::Operand;
use crate::kernels::weights::{Bundle, ClearBetweenGroups};
use crate::kernels::winograd::Tiling;
use crate::layout::depthwise;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId};

impl Gradients<'_> {
    fn bias(&mut self, bias: Option<ParamId>, gradient: &Operand, y: ValueId) {
        let Some(bias) = bias else { return };
        let place = self.b.layout.place(bias);
        match self.centred[y] {
            true => self.b.push(ZeroBiasGradient { to: place.offset, len: place.len }),
            false => self.b.push(BiasGradient { gradient: gradient.clone(), to: place.offset }),
        }
    }

    pub fn conv(&mut self, weight: ParamId, bias: Option<ParamId>, conv: &Conv2d, x: ValueId, y: ValueId) {
        let Some(gradient) = self.of(y) else { return };
        let input = self.b.operand(x);
        if depthwise(conv, input.shape.c) {
            let lattice = Lattice::forward(&window(conv), input.shape, gradient.shape);
            self.b.push(DepthwiseWeights {
                input,
                gradient: gradient.clone(),
                tiles: Tiles::new(lattice),
                weights: self.b.layout.place(weight).offset,
            });
        } else {
            let bundle = Bundle::new(conv, input.shape.c);
            let [ins, outs] = bundle.channels();
            for index in 0..bundle.count {
                let (input, gradient) = (input.run(index * ins, ins), gradient.run(index * outs, outs));
                let kernel = dense_weights(&self.b, weight, index, conv, input, gradient);
                self.b.push_boxed(kernel);
            }
            if bundle.groups > 1 {
                self.b.push(ClearBetweenGroups { bundle, first: self.b.layout.weights(weight, 0) });
            }
        }
        self.bias(bias, &gradient, y);
        if self.b.needs[x] {
            let target = self.target(x);
            let settings = Settings { conv, weight, bias: None, relu: false, transposed: true };
            self.b.push_conv(gradient, target, settings);
        }
    }

    pub fn conv_transpose(
        &mut self,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &ConvTranspose2d,
        x: ValueId,
        y: ValueId,
    ) {
        let (from, to) = (self.b.shape(x), self.b.shape(y));
        let Some(gradient) = self.of(y) else { return };
        let weights = self.b.layout.weights(weight, 0);
        // Seen from the output, the input is what a convolution of the output writes.
        let lattice = Lattice::forward(&transposed_window(conv), to, from);
        self.b.push(GemmWeights {
            gathered: gradient.clone(),
            points: self.b.operand(x),
            lattice: lattice.clone(),
            weights,
            points_are_inputs: true,
        });
        self.bias(bias, &gradient, y);
        if self.b.needs[x] {
            let output = self.target(x);
            self.b.push(ConvGemm {
                input: gradient,
                output,
                lattices: vec![lattice],
                weights,
                turned: true,
                bias: None,
                relu: false,
                function: None,
                residual: None,
            });
        }
    }
}

/// The gradient of the weights of one bundle.
fn dense_weights(
    b: &Builder,
    weight: ParamId,
    index: usize,
    conv: &Conv2d,
    input: Operand,
    gradient: Operand,
) -> Box<dyn Kernel> {
    let weights = b.layout.weights(weight, index);
    let (from, to) = (input.shape, gradient.shape);
    if b.by_winograd(conv, from, to) {
        let tiling = Tiling::new(from, to, conv.padding, conv.dilation);
        return Box::new(Conv3x3Weights { input, gradient, tiling, weights });
    }
    Box::new(GemmWeights {
        gathered: input,
        points: gradient,
        lattice: Lattice::forward(&window(conv), from, to),
        weights,
        points_are_inputs: false,
    })
}
