//! Convolutions that compute in integers, with the operations behind them that they do as well.

use super::state::Forward;
use crate::compile::builder::{Value, ValueId};
use crate::compile::conv::window;
use crate::compile::demand::{Demand, Movement};
use crate::kernels::int8::bytes::ByteMap;
use crate::kernels::int8::conv::IntegerConv;
use crate::kernels::int8::depthwise::IntegerDepthwise;
use crate::kernels::int8::ending::{Ending, Function, KINDS};
use crate::kernels::int8::max_pool::MaxPoolBytes;
use crate::kernels::int8::nearest::Nearest;
use crate::kernels::int8::quantize::Quantize;
use crate::kernels::int8::weights::Packed;
use crate::kernels::lattice::Lattice;
use crate::kernels::pool::Pool;
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
        let Demand { numbers, bytes } = self.demands[end].clone();
        // Further kinds of bytes are made from numbers where they are wanted.
        let (y, output) = if numbers || bytes.is_empty() || bytes.len() > KINDS {
            let (y, target) = self.b.stored(shape, true);
            (y, Some(target))
        } else {
            (self.b.value(shape, Value::Bytes, true), None)
        };
        let bytes = bytes.iter().take(KINDS).map(|&affine| self.place(end, affine)).collect();
        self.bytes[end].iter_mut().for_each(|(_, is_made)| *is_made = true);
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

    /// Whether a node is an operation of which bytes are read and nothing else.
    pub fn is_bytes_only(&self, index: usize) -> bool {
        let demand = self.demands.get(index);
        demand.is_some_and(|demand| !demand.numbers && !demand.bytes.is_empty())
            && Movement::of(self.graph, &self.uses, index).is_some()
    }

    /// The bytes of a node for a convolution that reads them, made now if they are not there yet.
    fn bytes_of(&mut self, node: NodeId, affine: Affine) -> ByteMap {
        let root = self.uses.root[node.0];
        let made = |(map, is_made): &&(ByteMap, bool)| *is_made && map.affine == affine;
        if let Some((map, _)) = self.bytes[root].iter().find(made) {
            return *map;
        }
        let to = self.place(root, affine);
        let inputs = &self.node(root).inputs;
        // The steps serve the operation, not its reader.
        let reader = std::mem::replace(&mut self.b.node, root);
        match Movement::of(self.graph, &self.uses, root) {
            Some(Movement::Concat) => {
                for (position, &input) in inputs.iter().enumerate() {
                    let part = self.part(root, to, position);
                    let from = self.bytes_of(input, affine);
                    if from != part {
                        self.b.push(Nearest { from, to: part });
                    }
                }
            }
            Some(Movement::Nearest) => {
                let from = self.bytes_of(inputs[0], affine);
                self.b.push(Nearest { from, to });
            }
            Some(Movement::MaxPool(settings)) => {
                let from = self.bytes_of(inputs[0], affine);
                let pool = Pool { settings, large: from.shape, small: to.shape, positions: None };
                self.b.push(MaxPoolBytes { pool, from, to });
            }
            None => {
                let from = self.b.operand(self.of(NodeId(root)));
                self.b.push(Quantize { from, to });
            }
        }
        self.b.node = reader;
        let places = self.bytes[root].iter_mut().filter(|(map, _)| map.affine == affine);
        places.for_each(|(_, is_made)| *is_made = true);
        to
    }

    /// The place of a node's bytes: in those of a concatenation that wants them, or by itself.
    fn place(&mut self, node: usize, affine: Affine) -> ByteMap {
        if let Some((map, _)) = self.bytes[node].iter().find(|(map, _)| map.affine == affine) {
            return *map;
        }
        let map = match self.concat_of(node, affine) {
            Some((whole, position)) => {
                let map = self.place(whole, affine);
                self.part(whole, map, position)
            }
            None => {
                let shape = self.node(node).shape;
                ByteMap::new(shape, self.b.buffer(ByteMap::values(shape)), affine)
            }
        };
        self.bytes[node].push((map, false));
        map
    }

    /// A concatenation that wants these bytes of a node, and its number among the parts.
    fn concat_of(&self, node: usize, affine: Affine) -> Option<(usize, usize)> {
        let wants = |reader: &usize| {
            self.node(*reader).op == Op::Concat
                && self.demands[*reader].bytes.contains(&affine)
                && Movement::of(self.graph, &self.uses, *reader).is_some()
        };
        let whole = self.operations_on(node).find(wants)?;
        let parts = &self.node(whole).inputs;
        Some((whole, parts.iter().position(|part| self.uses.root[part.0] == node)?))
    }

    /// A part of a concatenation's bytes.
    fn part(&self, concat: usize, whole: ByteMap, position: usize) -> ByteMap {
        let parts = &self.node(concat).inputs;
        let first = parts[..position].iter().map(|&part| self.graph.shape(part).c).sum();
        whole.part(first, self.graph.shape(parts[position]))
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
