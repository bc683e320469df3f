//! Which kernel computes which convolution, forward and backward.

use super::builder::Builder;
use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv_thin::ConvThin;
use crate::kernels::conv3x3::Conv3x3;
use crate::kernels::depthwise::{Depthwise, Tiles};
use crate::kernels::kernel::Kernel;
use crate::kernels::lattice::{Lattice, Window};
use crate::kernels::operand::{Operand, Target};
use crate::kernels::weights::Bundle;
use crate::kernels::winograd::{POINTS, Tiling};
use crate::layout::depthwise;
use crate::settings::Convolution;
use crate::simd::LANES;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId, Shape};

/// The settings that a convolution's kernels share.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    pub conv: &'a Conv2d,
    pub weight: ParamId,
    pub bias: Option<ParamId>,
    /// Rectify the result.
    pub relu: bool,
    /// The gradient of the input instead of the value.
    pub transposed: bool,
}

impl Builder<'_> {
    /// Appends the kernels of a convolution, or (`transposed`) of the gradient of its input.
    pub fn push_conv(&mut self, input: Operand, output: Target, settings: Settings) {
        let Settings { conv, weight, relu, transposed, .. } = settings;
        let in_channels = if transposed { output.shape.c } else { input.shape.c };
        let bias = settings.bias.map(|b| self.layout.place(b).offset);
        if depthwise(conv, in_channels) {
            let phases = lattices(conv, input.shape, output.shape, transposed);
            let conv = Depthwise {
                input,
                output,
                phases: phases.into_iter().map(Tiles::new).collect(),
                weights: self.layout.place(weight).offset,
                kernel: conv.kernel[0] * conv.kernel[1],
                bias,
                relu,
                function: None,
                gradient: transposed,
            };
            return self.push(conv);
        }
        let bundle = Bundle::new(conv, in_channels);
        for index in 0..bundle.count {
            let [ins, outs] = bundle.channels();
            let [from, to] = if transposed { [outs, ins] } else { [ins, outs] };
            let bias = bias.map(|offset| offset + index * to);
            let (input, output) = (input.run(index * from, from), output.run(index * to, to));
            let kernel = self.dense(input, output, settings, index, bias);
            self.push_boxed(kernel);
        }
    }

    /// The kernel of one bundle of a convolution.
    fn dense(
        &self,
        input: Operand,
        output: Target,
        settings: Settings,
        index: usize,
        bias: Option<usize>,
    ) -> Box<dyn Kernel> {
        let Settings { conv, weight, relu, transposed, .. } = settings;
        let weights = self.layout.weights(weight, index);
        if !transposed && ConvThin::fits(conv) && input.shape.c >= LANES {
            return Box::new(ConvThin { input, output, conv: *conv, weights, bias, relu });
        }
        if self.by_winograd(conv, input.shape, output.shape) {
            let mut padding = conv.padding;
            if transposed {
                padding = [0, 1].map(|i| 2 * conv.dilation[i] - conv.padding[i]);
            }
            let tiling = Tiling::new(input.shape, output.shape, padding, conv.dilation);
            return Box::new(Conv3x3 {
                input,
                output,
                tiling,
                weights,
                transposed,
                bias,
                relu,
                residual: None,
            });
        }
        let lattices = lattices(conv, input.shape, output.shape, transposed);
        Box::new(ConvGemm {
            input,
            output,
            lattices,
            weights,
            turned: transposed,
            bias,
            relu,
            function: None,
            residual: None,
        })
    }

    /// Whether Winograd's algorithm computes this convolution, and is the faster way: not with few channels, where its
    /// transforms cost more than they save, nor where most of a tile lies outside a small or widely dilated map.
    pub fn by_winograd(&self, conv: &Conv2d, input: Shape, output: Shape) -> bool {
        let tiles = || Tiling::new(input, output, conv.padding, conv.dilation).count();
        self.convolution == Convolution::Winograd
            && conv.kernel == [3, 3]
            && conv.stride == [1, 1]
            && input.c > 8
            && (0..2).all(|i| conv.padding[i] <= 2 * conv.dilation[i])
            && 5 * POINTS * tiles() <= 4 * 9 * output.pixels()
    }
}

/// The reads of a convolution, or (`transposed`) of the gradient of its input.
fn lattices(conv: &Conv2d, input: Shape, output: Shape, transposed: bool) -> Vec<Lattice> {
    let window = window(conv);
    if transposed {
        Lattice::transposed(&window, input, output)
    } else {
        vec![Lattice::forward(&window, input, output)]
    }
}

pub(in crate::compile) fn window(conv: &Conv2d) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: conv.dilation }
}

pub(super) fn transposed_window(conv: &ConvTranspose2d) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: [1, 1] }
}
