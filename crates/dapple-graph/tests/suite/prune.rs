//! Removal of nodes that no output depends on.

use dapple_graph::{Conv2d, Graph, GraphError, Interpolation, MaxPool, Shape, summary};

/// Two branches of which only the first is an output; the map whose size is taken belongs to the second.
fn graph() -> Result<Graph, GraphError> {
    let mut g = Graph::new(Shape::new(1, 8, 8, 3));
    let dead = g.conv2d("dead", g.input(), &Conv2d::new(4, 3).padding(1))?;
    let size = g.max_pool(dead, &MaxPool::new(2, 2))?;
    let deader = g.conv2d("deader", size, &Conv2d::new(4, 1))?;
    g.relu(deader)?;
    let x = g.conv2d("live", g.input(), &Conv2d::new(2, 1))?;
    let x = g.resize(x, size, Interpolation::Nearest)?;
    g.output("logits", x)?;
    Ok(g)
}

#[test]
fn nodes_without_readers_go_and_parameters_stay() {
    let whole = graph().unwrap();
    let mut pruned = whole.clone();
    pruned.prune();
    let names: Vec<&str> = pruned.nodes().iter().map(|node| node.name.as_str()).collect();
    // The size of the pooled map is needed.
    assert_eq!(names, ["input", "dead", "max_pool.2", "live", "resize.6"]);
    assert_eq!(pruned.params(), whole.params());
    assert_eq!(pruned.node(pruned.outputs()[0].1).shape, Shape::new(1, 4, 4, 2));
    assert_eq!(summary::multiply_adds(&whole) - summary::multiply_adds(&pruned), 4 * 4 * 16);
    let again = pruned.clone();
    pruned.prune();
    assert_eq!(pruned, again);
}
