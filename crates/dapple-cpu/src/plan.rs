//! From a graph to steps: which kernels run in which order, on which places in the arena.
//!
//! Batch norm, ReLU and aligned concatenation are no steps of their own: they become part of how later kernels
//! read ([`crate::kernels::operand`]). Backward steps follow the forward ones in reverse order; the first that
//! writes a gradient overwrites, later ones add, known when the plan is made.

use crate::arena::{self, Life};
use crate::backward;
use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv3x3::Conv3x3;
use crate::kernels::gather::{Lattice, Window};
use crate::kernels::norm::Norm;
use crate::kernels::operand::{Block, Operand, OutBlock, Target};
use crate::kernels::pixels::{ChannelCopy, Shift};
use crate::kernels::pool::Pool;
use crate::kernels::resize::Resize;
use crate::kernels::winograd::Tiling;
use crate::layout::Layout;
use crate::simd::{LANES, padded};
use crate::step::{Kernel, Step, visit_target};
use dapple_graph::{Conv2d, ConvTranspose2d, Graph, Interpolation, Node, NodeId, Op, ParamId, Shape};

/// A graph made ready to run for one shape.
#[derive(Debug)]
pub(crate) struct Plan {
    pub steps: Vec<Step>,
    /// Steps before this one are the forward pass.
    pub forward: usize,
    /// Arena offset of the input.
    pub input_offset: usize,
    /// Shapes and arena offsets of the outputs' logits.
    pub outputs: Vec<(Shape, usize)>,
    /// Where the gradients of the outputs go.
    pub output_gradients: Vec<Target>,
    /// Where the gradient of the input stands after the backward pass, if it was wanted.
    pub input_gradient: Option<usize>,
    pub arena_len: usize,
    pub shared_len: usize,
    pub local_len: usize,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Forward with the batch's statistics, then backward, to the input too if wanted.
    Train { input_gradient: bool },
    /// Forward with running statistics, all outputs or the first.
    Infer { first_only: bool },
}

pub(crate) type ValueId = usize;

/// A map as kernels see it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Stored at `offset`, read through batch norm and ReLU.
    Stored { offset: usize, affine: Option<(usize, usize)>, relu: bool },
    /// Maps side by side, all but the last of whole vectors.
    Concat(Vec<ValueId>),
}

/// What the backward pass must undo, in forward order.
#[derive(Clone, Debug)]
pub(crate) enum Tape {
    Conv {
        weight: ParamId,
        bias: Option<ParamId>,
        conv: Conv2d,
        x: ValueId,
        y: ValueId,
    },
    ConvTranspose {
        weight: ParamId,
        bias: Option<ParamId>,
        conv: ConvTranspose2d,
        x: ValueId,
        y: ValueId,
    },
    /// `own`: nobody else reads `x`, so its gradient may take the place of `y`'s.
    Norm {
        norm: Norm,
        relu: bool,
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    Relu {
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    MaxPool {
        pool: Pool,
        x: ValueId,
        y: ValueId,
    },
    MaxUnpool {
        pool: Pool,
        x: ValueId,
        y: ValueId,
    },
    Copy {
        x: ValueId,
        y: ValueId,
        shift: Option<Shift>,
    },
    Resize {
        resize: Resize,
        x: ValueId,
        y: ValueId,
    },
    Add {
        a: ValueId,
        b: ValueId,
        y: ValueId,
    },
    /// Unaligned concatenation.
    Join {
        parts: Vec<ValueId>,
        y: ValueId,
    },
}

pub(crate) struct Builder<'a> {
    pub graph: &'a Graph,
    pub layout: &'a Layout,
    pub purpose: Purpose,
    pub steps: Vec<Step>,
    pub values: Vec<(Shape, Value)>,
    /// Whether a gradient is wanted.
    pub needs: Vec<bool>,
    pub tape: Vec<(usize, Tape)>,
    buffers: Vec<usize>,
    of_node: Vec<Option<ValueId>>,
    pools: Vec<Option<Pool>>,
    /// How many operations (and outputs) read each node, counted at the node that stands for it.
    readers: Vec<usize>,
    /// The node itself, or the one whose values it has unchanged.
    root: Vec<usize>,
    wanted: Vec<bool>,
    pub node: usize,
}

impl Plan {
    pub fn new(graph: &Graph, layout: &Layout, purpose: Purpose) -> Self {
        let mut builder = Builder::new(graph, layout, purpose);
        for index in 0..graph.nodes().len() {
            if builder.wanted[index] {
                builder.node = index;
                builder.forward(index);
            }
        }
        builder.finish()
    }
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph, layout: &'a Layout, purpose: Purpose) -> Self {
        let nodes = graph.nodes();
        let first_only = purpose == Purpose::Infer { first_only: true };
        let outputs = &graph.outputs()[..if first_only { 1 } else { graph.outputs().len() }];
        let mut wanted = vec![false; nodes.len()];
        wanted[0] = true;
        outputs.iter().for_each(|(_, id)| wanted[id.0] = true);
        for (index, node) in nodes.iter().enumerate().rev() {
            if wanted[index] {
                node.inputs.iter().for_each(|i| wanted[i.0] = true);
                if let Op::MaxUnpool { pool } = node.op {
                    wanted[pool.0] = true;
                }
            }
        }
        let mut root: Vec<usize> = (0..nodes.len()).collect();
        let mut readers = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate().filter(|(i, _)| wanted[*i]) {
            if unchanged(graph, node) {
                root[index] = root[node.inputs[0].0];
            } else {
                node.inputs.iter().for_each(|i| readers[root[i.0]] += 1);
            }
        }
        outputs.iter().for_each(|(_, id)| readers[root[id.0]] += 1);
        Self {
            graph,
            layout,
            purpose,
            steps: Vec::new(),
            values: Vec::new(),
            needs: Vec::new(),
            tape: Vec::new(),
            buffers: Vec::new(),
            of_node: vec![None; nodes.len()],
            pools: vec![None; nodes.len()],
            readers,
            root,
            wanted,
            node: 0,
        }
    }

    pub fn training(&self) -> bool {
        matches!(self.purpose, Purpose::Train { .. })
    }

    /// A new buffer's place.
    pub fn buffer(&mut self, len: usize) -> usize {
        self.buffers.push(len.next_multiple_of(LANES));
        arena::place(self.buffers.len() - 1)
    }

    /// A new buffer for a map.
    pub fn map(&mut self, shape: Shape) -> usize {
        self.buffer(shape.pixels() * padded(shape.c))
    }

    pub fn push(&mut self, kernel: Kernel) {
        self.steps.push(Step { kernel, node: self.node });
    }

    pub fn shape(&self, value: ValueId) -> Shape {
        self.values[value].0
    }

    fn value(&mut self, shape: Shape, value: Value, needs: bool) -> ValueId {
        self.values.push((shape, value));
        self.needs.push(needs);
        self.values.len() - 1
    }

    fn stored(&mut self, shape: Shape, needs: bool) -> (ValueId, Target) {
        let offset = self.map(shape);
        (
            self.value(shape, Value::Stored { offset, affine: None, relu: false }, needs),
            Target::stored(shape, offset),
        )
    }

    /// How kernels read a value.
    pub fn operand(&self, value: ValueId) -> Operand {
        let (shape, value) = &self.values[value];
        match value {
            Value::Stored { offset, affine, relu } => {
                let mut operand = Operand::stored(*shape, *offset);
                for (b, block) in operand.blocks.iter_mut().enumerate() {
                    block.affine = affine.map(|(scale, shift)| (scale + b * LANES, shift + b * LANES));
                    block.relu = *relu;
                }
                operand
            }
            Value::Concat(parts) => {
                let blocks: Vec<Block> = parts.iter().flat_map(|&p| self.operand(p).blocks).collect();
                Operand { shape: *shape, blocks }
            }
        }
    }

    fn of(&self, node: NodeId) -> ValueId {
        self.of_node[node.0].expect("inputs of a wanted node come before it")
    }

    fn is_plain(&self, value: ValueId) -> bool {
        matches!(self.values[value].1, Value::Stored { affine: None, relu: false, .. })
    }

    /// The value itself if it is stored as it is read, else a copy that is.
    fn plain(&mut self, x: ValueId) -> ValueId {
        if self.is_plain(x) {
            return x;
        }
        let (y, to) = self.stored(self.shape(x), self.needs[x]);
        let from = self.operand(x);
        self.push(Kernel::Copy { from, to, shift: None });
        self.record(Tape::Copy { x, y, shift: None });
        y
    }

    fn record(&mut self, tape: Tape) {
        if self.training() {
            self.tape.push((self.node, tape));
        }
    }

    fn forward(&mut self, index: usize) {
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

    fn finish(mut self) -> Plan {
        let first_only = self.purpose == Purpose::Infer { first_only: true };
        let count = if first_only { 1 } else { self.graph.outputs().len() };
        let ids: Vec<NodeId> = self.graph.outputs()[..count].iter().map(|(_, id)| *id).collect();
        let mut output_values = Vec::new();
        for id in ids {
            self.node = id.0;
            let value = self.of(id);
            output_values.push(self.plain(value));
        }
        let forward = self.steps.len();
        let input_value = self.of_node[0].expect("the input is always wanted");
        let input_offset = self.operand(input_value).blocks[0].offset;
        let mut outputs: Vec<(Shape, usize)> =
            output_values.iter().map(|&v| (self.shape(v), self.operand(v).blocks[0].offset)).collect();
        let (mut output_gradients, mut input_gradient) = (Vec::new(), None);
        if self.training() {
            (output_gradients, input_gradient) = backward::build(&mut self, &output_values, input_value);
        }

        let mut lives: Vec<Life> = self.buffers.iter().map(|&len| Life { len, steps: None }).collect();
        let mut touch = |place: usize, step: usize| {
            let life = &mut lives[arena::buffer(place)].steps;
            let (first, last) = life.unwrap_or((step, step));
            *life = Some((first.min(step), last.max(step)));
        };
        // Step numbers are doubled around the loss, which stands between forward and backward.
        touch(input_offset, 0);
        for (i, step) in self.steps.iter_mut().enumerate() {
            let time = if i < forward { i + 1 } else { i + 2 };
            step.kernel.visit(&mut |place| touch(*place, time));
        }
        outputs.iter().for_each(|(_, place)| touch(*place, forward + 1));
        for target in &mut output_gradients {
            visit_target(target, &mut |place| touch(*place, forward + 1));
        }
        if let Some(place) = input_gradient {
            touch(place, self.steps.len() + 2);
        }
        let (offsets, arena_len) = arena::assign(&lives);
        let mut resolve = |place: &mut usize| *place = arena::resolve(&offsets, *place);
        let (mut shared_len, mut local_len) = (0, 0);
        for step in &mut self.steps {
            step.kernel.visit(&mut resolve);
            let (shared, local) = step.kernel.scratch();
            shared_len = shared_len.max(shared);
            local_len = local_len.max(local);
        }
        outputs.iter_mut().for_each(|(_, place)| resolve(place));
        output_gradients.iter_mut().for_each(|target| visit_target(target, &mut resolve));
        Plan {
            steps: self.steps,
            forward,
            input_offset: arena::resolve(&offsets, input_offset),
            outputs,
            output_gradients,
            input_gradient: input_gradient.map(|place| arena::resolve(&offsets, place)),
            arena_len,
            shared_len,
            local_len,
        }
    }
}

/// Whether a node has its input's values unchanged.
fn unchanged(graph: &Graph, node: &Node) -> bool {
    matches!(node.op, Op::Resize { .. } | Op::Upscale { .. } | Op::FitTo { .. })
        && graph.shape(node.inputs[0]) == node.shape
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
