//! The steps of each operation's forward pass.

use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv3x3::Conv3x3;
use crate::kernels::gather::{Lattice, Window};
use crate::kernels::norm::Norm;
use crate::kernels::operand::{Operand, OutBlock, Target};
use crate::kernels::pixels::{ChannelCopy, Shift};
use crate::kernels::pool::Pool;
use crate::kernels::resize::Resize;
use crate::kernels::winograd::Tiling;
use crate::plan::{Builder, Purpose, Tape, Value, ValueId};
use crate::simd::{LANES, padded};
use crate::step::Kernel;
use dapple_graph::{Conv2d, ConvTranspose2d, Interpolation, Node, Op, ParamId, Shape};

impl Builder<'_> {
    /// Appends the steps of a node.
    pub fn forward(&mut self, index: usize) {
        let node = &self.graph.nodes()[index];
        let shape = node.shape;
        let value = match &node.op {
            Op::Input => self.stored(shape, self.purpose == Purpose::Train { input_gradient: true }).0,
            _ if self.root[index] != index => self.of(node.inputs[0]),
            Op::Conv2d { weight, bias, conv } => self.conv(index, *weight, *bias, conv),
            Op::ConvTranspose2d { weight, bias, conv } => self.conv_transpose(index, *weight, *bias, conv),
            Op::BatchNorm { .. } => self.batch_norm(index),
            Op::Relu => self.relu(index),
            Op::MaxPool(settings) => {
                let x = self.of(node.inputs[0]);
                let (y, to) = self.stored(shape, self.needs[x]);
                let positions = self.buffer(Pool::positions_len(shape));
                let pool = Pool { settings: *settings, large: self.shape(x), small: shape, positions };
                let from = self.operand(x);
                self.push(Kernel::MaxPool { pool: pool.clone(), from, to });
                self.record(Tape::MaxPool { pool: pool.clone(), x, y });
                self.pools[index] = Some(pool);
                y
            }
            Op::MaxUnpool { pool } => {
                let x = self.of(node.inputs[0]);
                let (y, to) = self.stored(shape, self.needs[x]);
                let pool = self.pools[pool.0].clone().expect("a wanted unpooling's pooling is wanted");
                let from = self.operand(x);
                self.push(Kernel::Spread { pool: pool.clone(), from, to });
                self.record(Tape::MaxUnpool { pool, x, y });
                y
            }
            Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
                self.resize(self.of(node.inputs[0]), shape, *interpolation)
            }
            Op::FitTo { .. } => {
                let x = self.of(node.inputs[0]);
                let (y, to) = self.stored(shape, self.needs[x]);
                let shift = Some(Shift::centred(self.shape(x), shape));
                let from = self.operand(x);
                self.push(Kernel::Copy { from, to, shift });
                self.record(Tape::Copy { x, y, shift });
                y
            }
            Op::Concat => self.concat(index),
            Op::Add => {
                let (a, b) = (self.of(node.inputs[0]), self.of(node.inputs[1]));
                let (y, to) = self.stored(shape, self.needs[a] || self.needs[b]);
                let (from_a, from_b) = (self.operand(a), self.operand(b));
                self.push(Kernel::Add { a: from_a, b: from_b, to });
                self.record(Tape::Add { a, b, y });
                y
            }
        };
        self.of_node[index] = Some(value);
    }

    /// Whether the only reader of node `index` is a ReLU, which inference lets the convolution do.
    fn fused_relu(&self, index: usize) -> bool {
        let reads = |n: &Node| n.inputs.first().is_some_and(|i| self.root[i.0] == index);
        !self.training()
            && self.readers[index] == 1
            && (0..self.graph.nodes().len()).any(|i| {
                self.wanted[i] && self.graph.nodes()[i].op == Op::Relu && reads(&self.graph.nodes()[i])
            })
    }

    fn bias(&self, bias: Option<ParamId>) -> Option<usize> {
        bias.map(|b| self.layout.place(b).offset)
    }

    fn conv(&mut self, index: usize, weight: ParamId, bias: Option<ParamId>, conv: &Conv2d) -> ValueId {
        let node = &self.graph.nodes()[index];
        let x = self.of(node.inputs[0]);
        let relu = self.fused_relu(index);
        let (y, output) = self.stored(node.shape, true);
        let kernel = self.conv_kernel(self.operand(x), output, weight, self.bias(bias), conv, relu, false);
        self.push(kernel);
        self.record(Tape::Conv { weight, bias, conv: *conv, x, y });
        y
    }

    /// The kernel of a convolution, or (`transposed`) of the gradient of its input.
    #[allow(clippy::too_many_arguments)]
    pub fn conv_kernel(
        &self,
        input: Operand,
        output: Target,
        weight: ParamId,
        bias: Option<usize>,
        conv: &Conv2d,
        relu: bool,
        transposed: bool,
    ) -> Kernel {
        let weights = self.layout.weights(weight);
        if winograd_fits(conv, input.shape) {
            let mut padding = conv.padding;
            if transposed {
                padding = [0, 1].map(|i| 2 * conv.dilation[i] - conv.padding[i]);
            }
            let tiling = Tiling::new(input.shape, output.shape, padding, conv.dilation);
            return Kernel::Conv3x3(Conv3x3 {
                input,
                output,
                tiling,
                weights: weights.offset,
                weight_in: weights.ins,
                weight_out: weights.outs,
                transposed,
                bias,
                relu,
            });
        }
        let window = window(conv);
        let lattices = if transposed {
            Lattice::transposed(&window, input.shape, output.shape)
        } else {
            vec![Lattice::forward(&window, input.shape, output.shape)]
        };
        Kernel::ConvGemm(ConvGemm { input, output, lattices, weights, turned: transposed, bias, relu })
    }

    fn conv_transpose(
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
            weights: self.layout.weights(weight),
            turned: false,
            bias: self.bias(bias),
            relu,
        }));
        self.record(Tape::ConvTranspose { weight, bias, conv: *conv, x, y });
        y
    }

    fn batch_norm(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let Op::BatchNorm { gamma, beta, mean, var, norm } = node.op else {
            unreachable!("called for batch norms only");
        };
        let input = self.of(node.inputs[0]);
        let x = self.plain(input);
        let own = x != input || self.readers[self.root[node.inputs[0].0]] == 1;
        let Value::Stored { offset, .. } = self.values[x].1 else {
            unreachable!("plain values are stored");
        };
        let channels = padded(node.shape.c);
        let at = |id: ParamId| self.layout.place(id).offset;
        let [gamma, beta, running_mean, running_var] = [gamma, beta, mean, var].map(at);
        let places: [usize; 4] = std::array::from_fn(|_| self.buffer(channels));
        let norm = Norm {
            source: self.operand(x),
            eps: norm.eps,
            momentum: norm.momentum,
            gamma,
            beta,
            running_mean,
            running_var,
            scale: places[0],
            shift: places[1],
            mean: places[2],
            inverse: places[3],
        };
        self.push(if self.training() {
            Kernel::NormTrain(norm.clone())
        } else {
            Kernel::NormEval(norm.clone())
        });
        let affine = Some((norm.scale, norm.shift));
        let y = self.value(node.shape, Value::Stored { offset, affine, relu: false }, true);
        self.record(Tape::Norm { norm, relu: false, x, y, own });
        y
    }

    fn relu(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let source = self.root[node.inputs[0].0];
        let input = self.of(node.inputs[0]);
        let is_conv = matches!(self.graph.nodes()[source].op, Op::Conv2d { .. } | Op::ConvTranspose2d { .. });
        if is_conv && self.fused_relu(source) {
            return input;
        }
        let x = match self.values[input].1 {
            Value::Stored { relu: false, .. } => input,
            _ => self.plain(input),
        };
        let Value::Stored { offset, affine, .. } = self.values[x].1 else {
            unreachable!("plain values are stored");
        };
        let y = self.value(node.shape, Value::Stored { offset, affine, relu: true }, self.needs[x]);
        let own = x != input || self.readers[source] == 1;
        // A batch norm that only this ReLU reads has its gradient together with it.
        if own
            && let Some((_, Tape::Norm { relu, y: normed, .. })) =
                self.tape.iter_mut().rev().find(|(_, t)| matches!(t, Tape::Norm { y, .. } if *y == x))
        {
            *relu = true;
            *normed = y;
            return y;
        }
        self.record(Tape::Relu { x, y, own });
        y
    }

    fn resize(&mut self, x: ValueId, shape: Shape, interpolation: Interpolation) -> ValueId {
        let (y, to) = self.stored(shape, self.needs[x]);
        let resize = Resize::new(self.shape(x), shape, interpolation);
        let from = self.operand(x);
        self.push(Kernel::Resize { resize: resize.clone(), from, to });
        self.record(Tape::Resize { resize, x, y });
        y
    }

    fn concat(&mut self, index: usize) -> ValueId {
        let node = &self.graph.nodes()[index];
        let mut parts: Vec<ValueId> = Vec::new();
        for &input in &node.inputs {
            let value = self.of(input);
            match &self.values[value].1 {
                Value::Concat(inner) => parts.extend(inner),
                Value::Stored { .. } => parts.push(value),
            }
        }
        let needs = parts.iter().any(|&p| self.needs[p]);
        let last = parts.len() - 1;
        if parts[..last].iter().all(|&p| self.shape(p).c.is_multiple_of(LANES)) {
            return self.value(node.shape, Value::Concat(parts), needs);
        }
        let parts: Vec<ValueId> = parts.into_iter().map(|p| self.plain(p)).collect();
        let (y, to) = self.stored(node.shape, needs);
        let (offset, stride) = (to.blocks[0].offset, padded(node.shape.c));
        self.push(Kernel::Zero { offset, len: node.shape.pixels() * stride });
        let mut channel = 0;
        for &part in &parts {
            let shape = self.shape(part);
            let from = self.operand(part).blocks[0].offset;
            self.push(Kernel::CopyChannels(ChannelCopy {
                pixels: shape.pixels(),
                channels: shape.c,
                from,
                from_stride: padded(shape.c),
                to: offset + channel,
                to_stride: stride,
                accumulate: false,
            }));
            channel += shape.c;
        }
        self.record(Tape::Join { parts, y });
        y
    }
}

/// Whether Winograd's algorithm computes this convolution, and is the faster way.
pub(crate) fn winograd_fits(conv: &Conv2d, input: Shape) -> bool {
    conv.kernel == [3, 3]
        && conv.stride == [1, 1]
        && input.c > 8
        && (0..2).all(|i| conv.padding[i] <= 2 * conv.dilation[i])
}

pub(crate) fn window(conv: &Conv2d) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: conv.dilation }
}

pub(crate) fn transposed_window(conv: &ConvTranspose2d) -> Window {
    Window { kernel: conv.kernel, stride: conv.stride, padding: conv.padding, dilation: [1, 1] }
}

/// The blocks of a target of parts side by side.
pub(crate) fn side_by_side(shape: Shape, parts: impl Iterator<Item = Target>) -> Target {
    let blocks: Vec<OutBlock> = parts.flat_map(|p| p.blocks).collect();
    Target { shape, blocks }
}
