//! The first pass: which nodes of a graph a plan wants, and how many read each.

use crate::plan::Purpose;
use dapple_graph::{Graph, Node, NodeId, Op};

/// The uses of each node.
#[derive(Debug)]
pub(super) struct Uses {
    /// Outputs that are wanted.
    pub outputs: Vec<NodeId>,
    /// Whether an output depends on the node.
    pub wanted: Vec<bool>,
    /// How many operations (and outputs) read each node, counted at the node that stands for it.
    pub readers: Vec<usize>,
    /// The node itself, or the one whose values it has unchanged.
    pub root: Vec<usize>,
}

/// The uses of a graph's nodes.
pub(super) fn of(graph: &Graph, purpose: Purpose) -> Uses {
    let nodes = graph.nodes();
    let first_only = matches!(purpose, Purpose::Infer { first_only: true, .. });
    let count = if first_only { 1 } else { graph.outputs().len() };
    let outputs: Vec<NodeId> = graph.outputs()[..count].iter().map(|(_, id)| *id).collect();
    let mut wanted = vec![false; nodes.len()];
    wanted[0] = true;
    outputs.iter().for_each(|id| wanted[id.0] = true);
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
    outputs.iter().for_each(|id| readers[root[id.0]] += 1);
    Uses { outputs, wanted, readers, root }
}

/// Whether a node has its input's values unchanged.
fn unchanged(graph: &Graph, node: &Node, purpose: Purpose) -> bool {
    match node.op {
        Op::Resize { .. } | Op::Upscale { .. } | Op::FitTo { .. } | Op::AdaptiveAvgPool => {
            graph.shape(node.inputs[0]) == node.shape
        }
        Op::DropPath { rate, .. } => rate == 0.0 || !purpose.trains(),
        Op::Dropout { rate, .. } => rate == 0.0 || matches!(purpose, Purpose::Infer { sample: false, .. }),
        _ => false,
    }
}
