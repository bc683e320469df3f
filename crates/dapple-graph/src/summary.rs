//! Counts read from a graph: parameters, multiply-adds, and a printed table.

use crate::{Graph, Node, Op, ParamSpec};
use std::fmt::Write;

/// Trainable parameters.
pub fn parameters(graph: &Graph) -> usize {
    graph.trainable_len()
}

/// Multiply-adds of one node for its whole batch; convolutions and the two products of attention count, everything
/// else is zero, as in the published tables.
pub fn node_multiply_adds(graph: &Graph, node: &Node) -> u64 {
    let product = |v: &[usize]| v.iter().map(|&v| v as u64).product::<u64>();
    match &node.op {
        Op::Conv2d { weight, .. } => product(&graph.param(*weight).shape) * node.shape.pixels() as u64,
        Op::ConvTranspose2d { weight, .. } => {
            product(&graph.param(*weight).shape) * graph.shape(node.inputs[0]).pixels() as u64
        }
        Op::Attention { .. } => {
            let keys = graph.shape(node.inputs[1]);
            2 * product(&[node.shape.len(), keys.h, keys.w])
        }
        _ => 0,
    }
}

/// Multiply-adds of the whole graph for its batch.
pub fn multiply_adds(graph: &Graph) -> u64 {
    graph.nodes().iter().map(|node| node_multiply_adds(graph, node)).sum()
}

/// A table of all nodes: name, kind, output shape, parameters, multiply-adds.
pub fn describe(graph: &Graph) -> String {
    let mut text = String::new();
    let width = graph.nodes().iter().map(|n| n.name.len()).max().unwrap_or(0).max(4);
    for node in graph.nodes() {
        let own = node.op.params().into_iter().map(|id| graph.param(id));
        let parameters: usize = own.filter(|spec| spec.role.trainable()).map(ParamSpec::len).sum();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {:16}  {:22}  {:>12}  {:>14}",
            node.name,
            node.op.kind(),
            node.shape.to_string(),
            parameters,
            node_multiply_adds(graph, node)
        );
    }
    let _ = writeln!(text, "{} parameters, {} multiply-adds", parameters(graph), multiply_adds(graph));
    text
}
