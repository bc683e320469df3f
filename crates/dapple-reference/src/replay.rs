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
        let (name, x) = (&node.name, at(node.inputs[0]));
        let all = || node.inputs.iter().map(|&id| at(id)).collect::<Vec<_>>();
        match &change(&node.op) {
            Op::Input => return Err(GraphError::Config("a graph has one input".into())),
            Op::Conv2d { conv, .. } => g.conv2d(name, x, conv)?,
            Op::ConvTranspose2d { conv, .. } => g.conv_transpose2d(name, x, conv)?,
            Op::BatchNorm { norm, .. } => g.batch_norm_with(name, x, *norm)?,
            Op::Relu => g.relu(x)?,
            Op::MaxPool(pool) => g.max_pool(x, pool)?,
            Op::MaxUnpool { pool } => g.max_unpool(x, at(*pool))?,
            Op::Resize { like, interpolation } => g.resize(x, at(*like), *interpolation)?,
            Op::Upscale { factor, interpolation } => g.upscale(x, *factor, *interpolation)?,
            Op::FitTo { like } => g.fit_to(x, at(*like))?,
            Op::Concat => g.concat(&all())?,
            Op::Add => g.add(x, at(node.inputs[1]))?,
            Op::Pointwise(function) => g.activate(x, *function)?,
            Op::Mul => g.mul(x, at(node.inputs[1]))?,
            Op::AdaptiveAvgPool => g.adaptive_avg_pool(x, [node.shape.h, node.shape.w])?,
            Op::AvgPool(pool) => g.avg_pool(x, pool)?,
            Op::LayerNorm { eps, .. } => g.layer_norm(name, x, *eps)?,
            Op::GroupNorm { groups, .. } => g.group_norm(name, x, *groups)?,
            Op::Scale { .. } => g.scale(name, x, 1.0)?,
            Op::Attention { heads } => g.attention(x, at(node.inputs[1]), at(node.inputs[2]), *heads)?,
            Op::Dropout { rate, .. } => g.dropout(x, *rate)?,
            Op::DropPath { rate, .. } => g.drop_path(x, *rate)?,
        };
    }
    for (name, id) in graph.outputs() {
        g.output(name, at(*id))?;
    }
    Ok(())
}
