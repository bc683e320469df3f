//! The steps of convolutions: which kernel computes which.

use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv_thin::ConvThin;
use crate::kernels::conv3x3::Conv3x3;
use crate::kernels::depthwise::{Depthwise, Tiles};
use crate::kernels::gather::{Lattice, Window};
use crate::kernels::operand::{Operand, Target};
use crate::kernels::winograd::{POINTS, Tiling};
use crate::layout::{Bundle, depthwise};
use crate::plan::{Builder, Tape, ValueId};
use crate::settings::Convolution;
use crate::simd::LANES;
use crate::step::Kernel;
use dapple_graph::{Conv2d, ConvTranspose2d, Node, Op, ParamId, Shape};

/// What a convolution's kernels have in common.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub conv: &'a Conv2d,
    pub weight: ParamId,
    pub bias: Option<ParamId>,
    /// Rectify the result.
    pub relu: bool,
    /// The gradient of the input instead of the value.
    pub transposed: bool,
}

impl Builder<'_> {
    /// Whether the only reader of node `index` is a ReLU, which inference lets the convolution do.
    pub(super) fn fused_relu(&self, index: usize) -> bool {
        let reads = |n: &Node| n.inputs.first().is_some_and(|i| self.root[i.0] == index);
        !self.training()
            && self.readers[index] == 1
            && (0..self.graph.nodes().len()).any(|i| {
                self.wanted[i] && self.graph.nodes()[i].op == Op::Relu && reads(&self.graph.nodes()[i])
            })
    }

    /// In inference, lets the convolution that was planned last add the other input of the sum `index`, if its output
    /// is read by nothing else; the sum's value then.
    pub(super) fn added_by_conv(&mut self, index: usize) -> Option<ValueId> {
        if self.training() {
            return None;
        }
        let inputs = &self.graph.nodes()[index].inputs;
        let (a, b) = (inputs[0], inputs[1]);
        [(a, b), (b, a)].into_iter().find_map(|(mine, other)| {
            let (y, other) = (self.of(mine), self.of(other));
            if self.readers[self.root[mine.0]] != 1 || y == other || !self.is_plain(y) {
                return None;
            }
            let (made, residual) = (self.operand(y), self.operand(other));
            let (output, place) = match &mut self.steps.last_mut()?.kernel {
                Kernel::Conv3x3(c) => (&c.output, &mut c.residual),
                Kernel::ConvGemm(c) => (&c.output, &mut c.residual),
                _ => return None,
            };
            // A bundle of a grouped convolution makes a part of the map only.
            let same = output.blocks.iter().map(|b| b.offset).eq(made.blocks.iter().map(|b| b.offset));
            (same && place.is_none()).then(|| {
                *place = Some(residual);
                y
            })
        })
    }

    fn bias(&self, bias: Option<ParamId>) -> Option<usize> {
        bias.map(|b| self.layout.place(b).offset)
    }

    pub(super) fn conv(
        &mut self,
        index: usize,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &Conv2d,
    ) -> ValueId {
        let node = &self.graph.nodes()[index];
        let x = self.of(node.inputs[0]);
        let relu = self.fused_relu(index);
        let (y, output) = self.stored(node.shape, true);
        let input = self.operand(x);
        self.push_conv(input, output, Settings { conv, weight, bias, relu, transposed: false });
        self.record(Tape::Conv { weight, bias, conv: *conv, x, y });
        y
    }

    /// Appends the kernels of a convolution, or (`transposed`) of the gradient of its input.
    pub fn push_conv(&mut self, input: Operand, output: Target, settings: Settings) {
        let Settings { conv, weight, relu, transposed, .. } = settings;
        let in_channels = if transposed { output.shape.c } else { input.shape.c };
        let bias = self.bias(settings.bias);
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
                gradient: transposed,
            };
            return self.push(Kernel::Depthwise(conv));
        }
        let bundle = Bundle::new(conv, in_channels);
        for index in 0..bundle.count {
            let [ins, outs] = bundle.channels();
            let [from, to] = if transposed { [outs, ins] } else { [ins, outs] };
            let bias = bias.map(|offset| offset + index * to);
            let (input, output) = (input.run(index * from, from), output.run(index * to, to));
            let kernel = self.dense(input, output, settings, index, bias);
            self.push(kernel);
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
    ) -> Kernel {
        let Settings { conv, weight, relu, transposed, .. } = settings;
        let weights = self.layout.weights(weight, index);
        if !transposed && ConvThin::fits(conv) && input.shape.c >= LANES {
            return Kernel::ConvThin(ConvThin { input, output, conv: *conv, weights, bias, relu });
        }
        if self.by_winograd(conv, input.shape, output.shape) {
            let mut padding = conv.padding;
            if transposed {
                padding = [0, 1].map(|i| 2 * conv.dilation[i] - conv.padding[i]);
            }
            let tiling = Tiling::new(input.shape, output.shape, padding, conv.dilation);
            return Kernel::Conv3x3(Conv3x3 {
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
        Kernel::ConvGemm(ConvGemm {
            input,
            output,
            lattices,
            weights,
            turned: transposed,
            bias,
            relu,
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

    pub(super) fn conv_transpose(
        &mut self,
        index: usize,
        weight: ParamId,
        bias: Option<ParamId>,
        conv: &ConvTranspose2d,
    ) -> ValueId {
        let node = &self.graph.nodes()[index];
        let x = self.of(node.inputs[0]);
        let (y, output) = self.stored(node.shape, true);
        let lattices = Lattice::transposed(&transposed_window(conv), self.shape(x), node.shape);
        let relu = self.fused_relu(index);
        self.push(Kernel::ConvGemm(ConvGemm {
            input: self.operand(x),
            output,
            lattices,
            weights: self.layout.weights(weight, 0),
            turned: false,
            bias: self.bias(bias),
            relu,
            residual: None,
        }));
        self.record(Tape::ConvTranspose { weight, bias, conv: *conv, x, y });
        y
    }
}

/// What a convolution, or (`transposed`) the gradient of its input, reads.
fn lattices(conv: &Conv2d, input: Shape, output: Shape, transposed: bool) -> Vec<Lattice> {
    let window = window(conv);
    if transposed {
        Lattice::transposed(&window, input, output)
    } else {
        vec![Lattice::forward(&window, input, output)]
    }
}

impl Operand {
    /// `count` channels from `first` on: all of them, or whole vectors.
    pub(crate) fn run(&self, first: usize, count: usize) -> Self {
        let blocks = self.blocks[first / LANES..(first + count).div_ceil(LANES)].to_vec();
        Self { shape: self.shape.with_channels(count), blocks }
    }
}

impl Target {
    /// As [`Operand::run`].
    pub(crate) fn run(&self, first: usize, count: usize) -> Self {
        let blocks = self.blocks[first / LANES..(first + count).div_ceil(LANES)].to_vec();
        Self { shape: self.shape.with_channels(count), blocks }
    }
}

pub(crate) fn window(conv: &Conv2d) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: conv.dilation }
}

pub(crate) fn transposed_window(conv: &ConvTranspose2d) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: [1, 1] }
}
