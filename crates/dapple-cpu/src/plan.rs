//! A plan: a graph made ready to run for one shape. Pure data, which [`crate::compile`] makes and the executor runs.

use crate::kernels::kernel::{Kernel, Visit};
use crate::kernels::operand::Target;
use dapple_graph::Shape;

/// The steps of a graph for one shape, with their places in the arena.
#[derive(Debug)]
pub(crate) struct Plan {
    pub steps: Vec<Step>,
    /// Steps before this one are the forward pass.
    pub forward: usize,
    /// Values of the feature maps that each step reads and writes.
    pub touched: Vec<usize>,
    /// Arena offset of the input.
    pub input_offset: usize,
    /// Shapes and arena offsets of the outputs' logits.
    pub outputs: Vec<(Shape, usize)>,
    /// Where the gradients of the outputs go.
    pub output_gradients: Vec<Target>,
    /// Where the gradient of the input stands after the backward pass, if it is wanted.
    pub input_gradient: Option<usize>,
    pub arena_len: usize,
    /// Scratch memory for all threads together, and for each.
    pub shared_len: usize,
    pub local_len: usize,
}

impl Plan {
    /// Values of memory that it works in, on that many threads.
    pub fn values(&self, threads: usize) -> usize {
        self.arena_len + self.shared_len + threads * self.local_len
    }
}

/// A kernel with the graph node that it serves.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub kernel: Box<dyn Kernel>,
    /// Index of the node, for tables and messages.
    pub node: usize,
    /// Places of its scratch memory in the arena, for all threads together and for each; none where it works in the buffers
    /// that all steps share.
    pub scratch: Option<[usize; 2]>,
}

impl Step {
    /// Shows every place in the arena to `f`, which may change it: those of the kernel and of the scratch memory.
    pub fn visit(&mut self, f: Visit) {
        self.kernel.visit(f);
        self.scratch.iter_mut().flatten().for_each(f);
    }
}

/// Memory that a plan may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Values in all; the largest number without a limit.
    pub values: usize,
    /// Threads, each of which has scratch memory of its own.
    pub threads: usize,
}

/// The purpose of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Forward with the batch's statistics, then backward, to the input too if wanted.
    Train { input_gradient: bool },
    /// Forward with running statistics, all outputs or the first; dropout drops if `sample`.
    Infer { first_only: bool, sample: bool },
}

impl Purpose {
    pub fn trains(self) -> bool {
        matches!(self, Self::Train { .. })
    }
}
