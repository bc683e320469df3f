//! What of a graph depends on the size of its input.

use crate::ExportError;
use dapple_graph::{Graph, Network, NodeId, Op, Shape};

/// The network's graph, after making sure that it computes the same for images of another size.
pub(crate) fn build_for_all_sizes(network: &dyn Network) -> Result<Graph, ExportError> {
    let example = network.example_input();
    let graph = network.build(example)?;
    // Larger, so that the network can be built for it; odd, so that every rounding shows; neither a multiple.
    let other = Shape::new(example.n + 1, 2 * example.h + 37, 2 * example.w + 51, example.c);
    same_operations(&graph, &network.build(other)?)?;
    Ok(graph)
}

fn same_operations(a: &Graph, b: &Graph) -> Result<(), ExportError> {
    let differ = |what: String| Err(ExportError::DependsOnSize(what));
    if a.nodes().len() != b.nodes().len() {
        let [small, large] = [a, b].map(|g| g.shape(g.input()));
        return differ(format!("{} for {small}, {} for {large}", a.nodes().len(), b.nodes().len()));
    }
    if a.params() != b.params() || a.outputs() != b.outputs() {
        return differ("its parameters or outputs do".into());
    }
    for (x, y) in a.nodes().iter().zip(b.nodes()) {
        if (&x.op, &x.inputs, x.shape.c) != (&y.op, &y.inputs, y.shape.c) {
            return differ(format!("`{}` does", x.name));
        }
    }
    Ok(())
}

/// For each node, whether its map has the height and width of the input, whatever that is.
pub(crate) fn keeps_input_size(graph: &Graph) -> Vec<bool> {
    let mut keeps: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let of = |id: &NodeId| keeps[id.0];
        let inputs = node.inputs.iter().any(of);
        // With stride 1, a map keeps its size if the padding makes up for the kernel.
        let same = |stride: [usize; 2], padding: [usize; 2], reach: [usize; 2]| {
            stride == [1, 1] && padding.map(|p| 2 * p) == reach
        };
        let keep = match &node.op {
            Op::Input => true,
            Op::Conv2d { conv, .. } => {
                let reach = [0, 1].map(|i| conv.dilation[i] * (conv.kernel[i] - 1));
                inputs && same(conv.stride, conv.padding, reach)
            }
            Op::ConvTranspose2d { conv, .. } => {
                inputs && same(conv.stride, conv.padding, conv.kernel.map(|k| k - 1))
            }
            Op::MaxPool(pool) => inputs && same(pool.stride, pool.padding, pool.kernel.map(|k| k - 1)),
            Op::MaxUnpool { pool } => of(&graph.node(*pool).inputs[0]),
            Op::Resize { like, .. } | Op::FitTo { like } => of(like),
            Op::Upscale { factor, .. } => inputs && *factor == 1,
            Op::BatchNorm { .. } | Op::Relu | Op::Concat | Op::Add => inputs,
        };
        keeps.push(keep);
    }
    keeps
}

/// For each node, whether one of the outputs needs it.
pub(crate) fn needed(graph: &Graph, outputs: &[(String, NodeId)]) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes().len()];
    let mut open: Vec<NodeId> = outputs.iter().map(|(_, id)| *id).collect();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut needed[id.0], true) {
            continue;
        }
        let node = graph.node(id);
        open.extend(&node.inputs);
        match &node.op {
            Op::Resize { like: other, .. } | Op::FitTo { like: other } | Op::MaxUnpool { pool: other } => {
                open.push(*other);
            }
            _ => {}
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::{Conv2d, GraphError, MaxPool};

    #[test]
    fn a_network_that_looks_at_the_size_is_refused() {
        let build = |input: Shape| {
            let mut g = Graph::new(input);
            let mut x = g.input();
            if input.h > 16 {
                x = g.relu(x)?;
            }
            g.output("logits", x)?;
            Ok::<Graph, GraphError>(g)
        };
        let error = build_for_all_sizes(&(Shape::new(1, 8, 8, 3), build)).unwrap_err();
        assert!(matches!(error, ExportError::DependsOnSize(_)), "{error}");
    }

    #[test]
    fn sizes_are_followed() -> Result<(), GraphError> {
        let mut g = Graph::new(Shape::new(1, 8, 8, 3));
        let x = g.input();
        let same = g.conv2d("same", x, &Conv2d::new(4, 3).padding(2).dilation(2))?;
        let valid = g.conv2d("valid", same, &Conv2d::new(4, 3))?;
        let pooled = g.max_pool(same, &MaxPool::new(2, 2))?;
        let back = g.max_unpool(pooled, pooled)?;
        let fitted = g.fit_to(valid, back)?;
        // As large as the input here, but not always.
        let twice = g.upscale(pooled, 2, dapple_graph::Interpolation::Nearest)?;
        let keeps = keeps_input_size(&g);
        let expected =
            [(same, true), (valid, false), (pooled, false), (back, true), (fitted, true), (twice, false)];
        for (id, keep) in expected {
            assert_eq!(keeps[id.0], keep, "{}", g.node(id).name);
        }
        Ok(())
    }
}
