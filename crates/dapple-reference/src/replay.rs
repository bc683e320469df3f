//! Graphs built again: for other inputs, behind other nodes, of other operations.

use dapple_graph::{Graph, GraphError, NodeId, Op, Shape};

/// The same operations, changed by `change`, for another input shape.
pub(crate) fn rebuild(graph: &Graph, input: Shape, change: &dyn Fn(&Op) -> Op) -> Result<Graph, GraphError> {
    let mut g = Graph::new(input);
    replay(&mut g, graph, change)?;
    Ok(g)
}

/// Adds all operations of `graph`, changed by `change`, behind the last node of `g`, which stands for its input, and
/// declares its outputs.
pub(crate) fn replay(g: &mut Graph, graph: &Graph, change: &dyn Fn(&Op) -> Op) -> Result<(), GraphError> {
    // Each call adds one node, so that all ids are shifted alike.
    let shift = g.nodes().len() - 1;
    let at = |id: NodeId| NodeId(id.0 + shift);
    for node in &graph.nodes()[1..] {
        g.repeat(node, &change(&node.op), &at)?;
    }
    for (name, id) in graph.outputs() {
        g.output(name, at(*id))?;
    }
    Ok(())
}
