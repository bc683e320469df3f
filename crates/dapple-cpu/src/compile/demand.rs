//! The forms in which the nodes of a quantized network are read: numbers, and kinds of integers.
//!
//! Concatenations, nearest sampling and max pooling move values without changing them, and rounding keeps their order; so
//! they are done to bytes where only bytes are wanted of them, with the same result as before the rounding.

use super::int8::Integers;
use super::uses::Uses;
use crate::simd::LANES;
use dapple_graph::{Affine, Graph, Interpolation, MaxPool, Op};

/// The forms in which a node is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Demand {
    pub numbers: bool,
    /// The kinds of bytes.
    pub bytes: Vec<Affine>,
}

/// An operation that can be done to bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Movement {
    /// Of parts that are whole vectors, but for the last.
    Concat,
    Nearest,
    /// Whose positions nothing reads.
    MaxPool(MaxPool),
}

impl Movement {
    /// That of a node.
    pub fn of(graph: &Graph, uses: &Uses, index: usize) -> Option<Self> {
        let node = &graph.nodes()[index];
        match &node.op {
            Op::Concat => {
                let parts = &node.inputs[..node.inputs.len() - 1];
                parts.iter().all(|&part| graph.shape(part).c.is_multiple_of(LANES)).then_some(Self::Concat)
            }
            Op::Resize { interpolation: Interpolation::Nearest, .. }
            | Op::Upscale { interpolation: Interpolation::Nearest, .. } => Some(Self::Nearest),
            Op::MaxPool(settings) => {
                let mut nodes = graph.nodes().iter().zip(&uses.wanted);
                let is_unpooled = nodes.any(|(node, wanted)| {
                    *wanted && matches!(node.op, Op::MaxUnpool { pool } if pool.0 == index)
                });
                (!is_unpooled).then_some(Self::MaxPool(*settings))
            }
            _ => None,
        }
    }
}

/// The demands on all nodes, at those that stand for others' values.
pub(super) fn of(graph: &Graph, uses: &Uses, integers: &Integers) -> Vec<Demand> {
    let mut demands = vec![Demand::default(); graph.nodes().len()];
    uses.outputs.iter().for_each(|id| demands[uses.root[id.0]].numbers = true);
    // Readers come after what they read.
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        if !uses.wanted[index] || uses.root[index] != index {
            continue;
        }
        let asked = if let Some(affine) = integers.input_of(node) {
            Demand { numbers: false, bytes: vec![affine] }
        } else if Movement::of(graph, uses, index).is_some() {
            demands[index].clone()
        } else {
            Demand { numbers: true, bytes: Vec::new() }
        };
        for input in &node.inputs {
            let demand = &mut demands[uses.root[input.0]];
            demand.numbers |= asked.numbers;
            for affine in &asked.bytes {
                if !demand.bytes.contains(affine) {
                    demand.bytes.push(*affine);
                }
            }
        }
    }
    demands
}
