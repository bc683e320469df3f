//! Convolutions that compute in integers, with the operations behind them that they do as well.

use super::state::Forward;
use crate::compile::builder::{Value, ValueId};
use crate::compile::conv::window;
use crate::kernels::int8::bytes::ByteMap;
use crate::kernels::int8::conv::IntegerConv;
use crate::kernels::int8::depthwise::IntegerDepthwise;
use crate::kernels::int8::ending::{Ending, Function};
use crate::kernels::int8::quantize::Quantize;
use crate::kernels::int8::weights::Packed;
use crate::kernels::lattice::Lattice;
use crate::layout::depthwise;
use dapple_graph::{Affine, Conv2d, NodeId, Op, Pointwise};
use std::sync::Arc;

/// A convolution with the operations behind it, each of which is the only reader of the one before.
struct Chain {
    /// Their nodes, the convolution first.
    nodes: Vec<usize>,
    function: Function,
    /// The other term of a sum.
    residual: Option<ValueId>,
    relu: bool,
}

impl Forward<'_> {
    /// Appends a quantized convolution and what its kernel does with the result; the value of the last of these operations.
    pub fn int8_conv(&mut self, index: usize, conv: &Conv2d, weights: Arc<Packed>) -> ValueId {
        let input = self.bytes_of(self.node(index).inputs[0], weights.input);
        let Chain { nodes, function, residual, relu } = self.chain(index);
        let end = nodes[nodes.len() - 1];
        let shape = self.node(end).shape;
        let (affines, has_others) = self.readers_in(end);
        // A second kind of bytes is made from numbers where it is wanted.
        let (y, output) = if has_others || affines.len() != 1 {
            let (y, target) = self.b.stored(shape, true);
            (y, Some(target))
        } else {
            (self.b.value(shape, Value::Bytes, true), None)
        };
        let bytes = affines.first().map(|&affine| self.byte_map(end, affine));
        let residual = residual.map(|residual| self.b.operand(residual));
        let ending = Ending { function, residual, relu, output, bytes };
        let lattice = Lattice::forward(&window(conv), input.shape, shape);
        match depthwise(conv, input.shape.c) {
            true => self.b.push(IntegerDepthwise { input, lattice, weights, ending }),
            false => self.b.push(IntegerConv { input, lattice, weights, ending }),
        }
        nodes.iter().for_each(|&node| self.of_node[node] = Some(y));
        y
    }

    /// The bytes of a node for a convolution that reads them, made of its numbers if they are not there yet.
    fn bytes_of(&mut self, node: NodeId, affine: Affine) -> ByteMap {
        let root = self.uses.root[node.0];
        if let Some(map) = self.bytes[root].iter().find(|map| map.affine == affine) {
            return *map;
        }
        let from = self.b.operand(self.of(node));
        let to = self.byte_map(root, affine);
        self.b.push(Quantize { from, to });
        to
    }

    /// A new map of bytes for a node.
    fn byte_map(&mut self, node: usize, affine: Affine) -> ByteMap {
        let shape = self.node(node).shape;
        let map = ByteMap { shape, offset: self.b.buffer(ByteMap::values(shape)), affine };
        self.bytes[node].push(map);
        map
    }

    /// The operations behind a convolution that its kernel does.
    fn chain(&self, index: usize) -> Chain {
        let mut chain =
            Chain { nodes: vec![index], function: Function::Identity, residual: None, relu: false };
        let mut end = index;
        if let Some(next) = self.only_reader(end)
            && let Some(function) = function_of(&self.node(next).op)
        {
            chain.function = function;
            chain.nodes.push(next);
            end = next;
        }
        if let Some(next) = self.only_reader(end)
            && self.node(next).op == Op::Add
        {
            let mut others = self.node(next).inputs.iter().map(|input| self.uses.root[input.0]);
            // The other term may come later; its own convolution adds this one then.
            let other = others.find(|&root| root != end);
            if let Some(residual) = other.and_then(|other| self.of_node[other]) {
                chain.residual = Some(residual);
                chain.nodes.push(next);
                if let Some(last) = self.only_reader(next).filter(|&last| self.node(last).op == Op::Relu) {
                    chain.relu = true;
                    chain.nodes.push(last);
                }
            }
        }
        chain
    }

    /// The operation that alone reads a node.
    fn only_reader(&self, index: usize) -> Option<usize> {
        if self.uses.readers[index] != 1 {
            return None;
        }
        // An output has no operation.
        self.operations_on(index).next()
    }

    /// The operations that read a node.
    fn operations_on(&self, index: usize) -> impl Iterator<Item = usize> {
        let nodes = self.graph.nodes().iter().enumerate();
        nodes.filter_map(move |(reader, node)| {
            let is_operation = self.uses.wanted[reader] && self.uses.root[reader] == reader;
            let reads = node.inputs.iter().any(|input| self.uses.root[input.0] == index);
            (is_operation && reads).then_some(reader)
        })
    }

    /// The kinds of bytes in which quantized convolutions read a node, and whether anything else reads it.
    fn readers_in(&self, index: usize) -> (Vec<Affine>, bool) {
        let mut affines = Vec::new();
        let mut has_others = self.uses.outputs.iter().any(|id| self.uses.root[id.0] == index);
        for reader in self.operations_on(index) {
            match self.input_affine(reader) {
                Some(affine) if !affines.contains(&affine) => affines.push(affine),
                Some(_) => {}
                None => has_others = true,
            }
        }
        (affines, has_others)
    }

    /// The bytes that a node reads, if it is a quantized convolution.
    fn input_affine(&self, index: usize) -> Option<Affine> {
        let Op::Conv2d { weight, .. } = &self.node(index).op else { return None };
        Some(self.integers?.get(*weight)?.input)
    }
}

/// The functions that a kernel ends with: those that leave zero zero.
fn function_of(op: &Op) -> Option<Function> {
    match op {
        Op::Relu => Some(Function::Relu),
        Op::Pointwise(
            function @ (Pointwise::Relu6 | Pointwise::HardSwish | Pointwise::Silu | Pointwise::Gelu),
        ) => Some(Function::Pointwise(*function)),
        _ => None,
    }
}
