//! The state of the forward pass, and the helpers of all operations.

use crate::compile::builder::{Builder, ValueId};
use crate::compile::demand::Demand;
use crate::compile::int8::Integers;
use crate::compile::tape::Tape;
use crate::compile::uses::Uses;
use crate::kernels::copy::CopyMap;
use crate::kernels::int8::bytes::ByteMap;
use crate::kernels::kernel::{Backward, Kernel};
use crate::kernels::operand::{Operand, Target};
use crate::kernels::pool::Pool;
use crate::plan::Purpose;
use dapple_graph::{Graph, Node, NodeId, Op};

/// The forward pass over a graph.
pub(super) struct Forward<'a> {
    pub graph: &'a Graph,
    pub purpose: Purpose,
    pub uses: Uses,
    pub b: Builder<'a>,
    pub tape: Vec<(usize, Tape)>,
    /// The value of each node that was lowered.
    pub of_node: Vec<Option<ValueId>>,
    /// The max poolings, for their unpoolings.
    pub pools: Vec<Option<Pool>>,
    /// The convolutions that compute in integers.
    pub integers: Option<&'a Integers>,
    /// The forms in which each node is read; empty without such convolutions.
    pub demands: Vec<Demand>,
    /// The maps of bytes of each node, for the convolutions that read it, and whether they are made or have a place only.
    pub bytes: Vec<Vec<(ByteMap, bool)>>,
}

impl<'a> Forward<'a> {
    pub fn training(&self) -> bool {
        self.purpose.trains()
    }

    pub fn node(&self, index: usize) -> &'a Node {
        &self.graph.nodes()[index]
    }

    /// The value of a node that was lowered.
    pub fn of(&self, node: NodeId) -> ValueId {
        self.of_node[node.0].expect("inputs of a wanted node come before it")
    }

    /// The first input of a node, and whether nobody else reads it.
    pub fn input_of(&self, index: usize) -> (ValueId, bool) {
        let input = self.node(index).inputs[0];
        (self.of(input), self.uses.readers[self.uses.root[input.0]] == 1)
    }

    /// Puts an operation on the tape.
    pub fn record(&mut self, tape: Tape) {
        if self.training() {
            self.tape.push((self.b.node, tape));
        }
    }

    /// The value itself if it is stored as it is read, else a copy that is.
    pub fn plain(&mut self, x: ValueId) -> ValueId {
        if self.b.is_plain(x) {
            return x;
        }
        let (y, to) = self.b.stored(self.b.shape(x), self.b.needs[x]);
        self.step(CopyMap { from: self.b.operand(x), to, shift: None }, x, y, false)
    }

    /// An operation with one input: the kernel that writes its map, which is also the way back.
    pub fn unary<K>(&mut self, index: usize, kernel: impl FnOnce(Operand, Target) -> K) -> ValueId
    where
        K: Kernel + Backward + Clone + 'static,
    {
        let (x, _) = self.input_of(index);
        let (y, to) = self.b.stored(self.node(index).shape, self.b.needs[x]);
        let from = self.b.operand(x);
        self.step(kernel(from, to), x, y, false)
    }

    /// As [`Forward::unary`], for operations whose gradient may be computed in its own place.
    pub fn in_place<K>(&mut self, index: usize, kernel: impl FnOnce(Operand, Target) -> K) -> ValueId
    where
        K: Kernel + Backward + Clone + 'static,
    {
        let (x, own) = self.input_of(index);
        let (y, to) = self.b.stored(self.node(index).shape, self.b.needs[x]);
        let from = self.b.operand(x);
        self.step(kernel(from, to), x, y, own)
    }

    /// As [`Forward::in_place`], for operations with parameters, whose gradients are always wanted.
    pub fn with_parameters<K>(&mut self, index: usize, kernel: impl FnOnce(Operand, Target) -> K) -> ValueId
    where
        K: Kernel + Backward + Clone + 'static,
    {
        let (x, own) = self.input_of(index);
        let (y, to) = self.b.stored(self.node(index).shape, true);
        let from = self.b.operand(x);
        self.step(kernel(from, to), x, y, own)
    }

    /// Appends a kernel from `x` to `y`, and puts it on the tape.
    pub fn step<K>(&mut self, kernel: K, x: ValueId, y: ValueId, own: bool) -> ValueId
    where
        K: Kernel + Backward + Clone + 'static,
    {
        self.b.push(kernel.clone());
        self.record(Tape::Unary { way: Box::new(kernel), x, y, own });
        y
    }

    /// In inference: whether the only reader of a node is a ReLU, which the node's kernel does then.
    pub fn fused_relu(&self, index: usize) -> bool {
        let reads = |n: &Node| n.inputs.first().is_some_and(|i| self.uses.root[i.0] == index);
        !self.training()
            && self.uses.readers[index] == 1
            && (0..self.graph.nodes().len())
                .any(|i| self.uses.wanted[i] && self.node(i).op == Op::Relu && reads(self.node(i)))
    }

    /// The offset of a parameter's values in its buffer.
    pub fn param(&self, id: dapple_graph::ParamId) -> usize {
        self.b.layout.place(id).offset
    }
}
