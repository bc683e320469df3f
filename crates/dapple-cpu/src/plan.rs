//! From a graph to steps: which kernels run in which order, on which places in the arena.
//!
//! Batch norm, ReLU and aligned concatenation are no steps of their own: they become part of how later kernels
//! read ([`crate::kernels::operand`]). Backward steps follow the forward ones in reverse order; the first that
//! writes a gradient overwrites, later ones add, known when the plan is made.

use crate::arena;
use crate::backward;
use crate::draft::Draft;
use crate::kernels::attention::Attention;
use crate::kernels::group_norm::GroupNorm;
use crate::kernels::layer_norm::LayerNorm;
use crate::kernels::norm::Norm;
use crate::kernels::operand::{Block, Operand, Target};
use crate::kernels::pixels::Shift;
use crate::kernels::pointwise::Dropout;
use crate::kernels::pool::Pool;
use crate::kernels::resize::Resize;
use crate::layout::Layout;
use crate::recompute;
use crate::settings::Convolution;
use crate::simd::{LANES, padded};
use crate::step::{Kernel, Step};
use dapple_graph::{Conv2d, ConvTranspose2d, Graph, Node, NodeId, Op, ParamId, Pointwise, Shape};

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

/// Memory that a plan may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Values in all.
    pub values: usize,
    /// Threads, each of which has scratch memory of its own.
    pub threads: usize,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Forward with the batch's statistics, then backward, to the input too if wanted.
    Train { input_gradient: bool },
    /// Forward with running statistics, all outputs or the first; dropout drops if `sample`.
    Infer { first_only: bool, sample: bool },
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
    Pointwise {
        function: Pointwise,
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    /// `own`: nobody else reads `a`. `gate`: `b` is one pixel for each image.
    Mul {
        a: ValueId,
        b: ValueId,
        gate: bool,
        y: ValueId,
        own: bool,
    },
    LayerNorm {
        norm: LayerNorm,
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    GroupNorm {
        norm: GroupNorm,
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    /// `affine`: places of the factors and of zeros.
    Scale {
        factor: ParamId,
        affine: (usize, usize),
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    Attention {
        attention: Attention,
        inputs: [ValueId; 3],
        y: ValueId,
    },
    Dropout {
        dropout: Dropout,
        x: ValueId,
        y: ValueId,
        own: bool,
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
    pub convolution: Convolution,
    pub steps: Vec<Step>,
    pub values: Vec<(Shape, Value)>,
    /// Whether a gradient is wanted.
    pub needs: Vec<bool>,
    pub tape: Vec<(usize, Tape)>,
    buffers: Vec<usize>,
    pub of_node: Vec<Option<ValueId>>,
    pub pools: Vec<Option<Pool>>,
    /// How many operations (and outputs) read each node, counted at the node that stands for it.
    pub readers: Vec<usize>,
    /// The node itself, or the one whose values it has unchanged.
    pub root: Vec<usize>,
    pub wanted: Vec<bool>,
    pub node: usize,
}

impl Plan {
    /// The plan of a graph. One for training that is larger than the budget computes maps again in the backward pass
    /// instead of keeping them ([`crate::recompute`]); where that does not suffice, it is the smallest there is.
    pub fn new(
        graph: &Graph,
        layout: &Layout,
        purpose: Purpose,
        convolution: Convolution,
        budget: Budget,
    ) -> Self {
        let mut builder = Builder::new(graph, layout, purpose, convolution);
        for index in 0..graph.nodes().len() {
            if builder.wanted[index] {
                builder.node = index;
                builder.forward(index);
            }
        }
        recompute::within(builder.finish(), graph, budget).settle()
    }

    /// Values of memory that it works in, on that many threads.
    pub fn values(&self, threads: usize) -> usize {
        self.arena_len + self.shared_len + threads * self.local_len
    }
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph, layout: &'a Layout, purpose: Purpose, convolution: Convolution) -> Self {
        let nodes = graph.nodes();
        let first_only = matches!(purpose, Purpose::Infer { first_only: true, .. });
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
            if unchanged(graph, node, purpose) {
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
            convolution,
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

    pub fn value(&mut self, shape: Shape, value: Value, needs: bool) -> ValueId {
        self.values.push((shape, value));
        self.needs.push(needs);
        self.values.len() - 1
    }

    pub fn stored(&mut self, shape: Shape, needs: bool) -> (ValueId, Target) {
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

    pub fn of(&self, node: NodeId) -> ValueId {
        self.of_node[node.0].expect("inputs of a wanted node come before it")
    }

    pub fn is_plain(&self, value: ValueId) -> bool {
        matches!(self.values[value].1, Value::Stored { affine: None, relu: false, .. })
    }

    /// The value itself if it is stored as it is read, else a copy that is.
    pub fn plain(&mut self, x: ValueId) -> ValueId {
        if self.is_plain(x) {
            return x;
        }
        let (y, to) = self.stored(self.shape(x), self.needs[x]);
        let from = self.operand(x);
        self.push(Kernel::Copy { from, to, shift: None });
        self.record(Tape::Copy { x, y, shift: None });
        y
    }

    pub fn record(&mut self, tape: Tape) {
        if self.training() {
            self.tape.push((self.node, tape));
        }
    }

    fn finish(mut self) -> Draft {
        let first_only = matches!(self.purpose, Purpose::Infer { first_only: true, .. });
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
        let input = self.operand(input_value).blocks[0].offset;
        let outputs: Vec<(Shape, usize)> =
            output_values.iter().map(|&v| (self.shape(v), self.operand(v).blocks[0].offset)).collect();
        let (mut output_gradients, mut input_gradient) = (Vec::new(), None);
        if self.training() {
            (output_gradients, input_gradient) = backward::build(&mut self, &output_values, input_value);
        }
        let Self { steps, buffers, .. } = self;
        Draft { steps, forward, buffers, input, outputs, output_gradients, input_gradient }
    }
}

/// Whether a node has its input's values unchanged.
fn unchanged(graph: &Graph, node: &Node, purpose: Purpose) -> bool {
    match node.op {
        Op::Resize { .. } | Op::Upscale { .. } | Op::FitTo { .. } | Op::AdaptiveAvgPool => {
            graph.shape(node.inputs[0]) == node.shape
        }
        Op::DropPath { rate, .. } => rate == 0.0 || matches!(purpose, Purpose::Infer { .. }),
        Op::Dropout { rate, .. } => rate == 0.0 || matches!(purpose, Purpose::Infer { sample: false, .. }),
        _ => false,
    }
}
