//! The backward steps of convolutions.

use super::Gradients;
use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv_gemm_weights::GemmWeights;
use crate::kernels::conv3x3_weights::Conv3x3Weights;
use crate::kernels::depthwise::Tiles;
use crate::kernels::depthwise_weights::DepthwiseWeights;
use crate::kernels::gather::Lattice;
use crate::kernels::operand::Operand;
use crate::kernels::winograd::Tiling;
use crate::layout::{Bundle, depthwise};
use crate::lower::conv::{Settings, transposed_window, window};
use crate::plan::{Builder, ValueId};
use crate::step::Kernel;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId};

impl Gradients {
    fn bias(&self, b: &mut Builder, bias: Option<ParamId>, gradient: &Operand, y: ValueId) {
        let Some(bias) = bias else { return };
        let place = b.layout.place(bias);
        b.push(if self.centred[y] {
            Kernel::ZeroBiasGradient { to: place.offset, len: place.len }
        } else {
            Kernel::BiasGradient { gradient: gradient.clone(), to: place.offset }
        });
    }

    pub(super) fn conv(
        &mut self,
        b: &mut Builder,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &Conv2d,
        x: ValueId,
        y: ValueId,
    ) {
        let Some(gradient) = self.operand(b.shape(y), y) else { return };
        let input = b.operand(x);
        if depthwise(conv, input.shape.c) {
            let lattice = Lattice::forward(&window(conv), input.shape, gradient.shape);
            b.push(Kernel::DepthwiseWeights(DepthwiseWeights {
                input,
                gradient: gradient.clone(),
                tiles: Tiles::new(lattice),
                weights: b.layout.place(weight).offset,
            }));
        } else {
            let bundle = Bundle::new(conv, input.shape.c);
            let [ins, outs] = bundle.channels();
            for index in 0..bundle.count {
                let (input, gradient) = (input.run(index * ins, ins), gradient.run(index * outs, outs));
                let kernel = dense_weights(b, weight, index, conv, input, gradient);
                b.push(kernel);
            }
            if bundle.groups > 1 {
                b.push(Kernel::ClearBetweenGroups(weight));
            }
        }
        self.bias(b, bias, &gradient, y);
        if b.needs[x] {
            let target = self.target(b, x);
            let settings = Settings { conv, weight, bias: None, relu: false, transposed: true };
            b.push_conv(gradient, target, settings);
        }
    }

    pub(super) fn conv_transpose(
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
        let weights = b.layout.weights(weight, 0);
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
                residual: None,
            }));
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
) -> Kernel {
    let weights = b.layout.weights(weight, index);
    let (from, to) = (input.shape, gradient.shape);
    if b.by_winograd(conv, from, to) {
        let tiling = Tiling::new(from, to, conv.padding, conv.dilation);
        return Kernel::Conv3x3Weights(Conv3x3Weights { input, gradient, tiling, weights });
    }
    Kernel::GemmWeights(GemmWeights {
        gathered: input,
        points: gradient,
        lattice: Lattice::forward(&window(conv), from, to),
        weights,
        points_are_inputs: false,
    })
}
