//! A graph for one input shape, and the lifetimes of its values.

use dapple_graph::{Graph, NodeId, Op};

/// A graph and when its values can be let go.
pub(crate) struct Plan {
    pub graph: Graph,
    /// Outputs that are wanted, the primary one first.
    pub outputs: Vec<NodeId>,
    /// Whether a node is computed: all are, unless only the first output is wanted.
    pub needed: Vec<bool>,
    /// The last node that reads each node's value.
    pub last_reader: Vec<Option<usize>>,
    /// The last node that puts values back where each pooling's maxima stood.
    pub last_unpool: Vec<Option<usize>>,
}

impl Plan {
    /// For all outputs, or for the first one.
    pub fn new(graph: Graph, first_only: bool) -> Self {
        let count = if first_only { 1 } else { graph.outputs().len() };
        let outputs: Vec<NodeId> = graph.outputs().iter().take(count).map(|(_, id)| *id).collect();
        let nodes = graph.nodes();
        let mut needed = vec![!first_only; nodes.len()];
        outputs.iter().for_each(|id| needed[id.0] = true);
        let (mut last_reader, mut last_unpool) = (vec![None; nodes.len()], vec![None; nodes.len()]);
        // Back to front: the first reader that is met is the last one.
        for (index, node) in nodes.iter().enumerate().rev() {
            if !needed[index] {
                continue;
            }
            for input in &node.inputs {
                needed[input.0] = true;
                last_reader[input.0].get_or_insert(index);
            }
            if let Op::MaxUnpool { pool } = node.op {
                needed[pool.0] = true;
                last_unpool[pool.0].get_or_insert(index);
            }
        }
        Self { graph, outputs, needed, last_reader, last_unpool }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::{MaxPool, Shape};

    #[test]
    fn what_nobody_reads_is_let_go() {
        let mut g = Graph::new(Shape::new(1, 4, 4, 2));
        let input = g.input();
        let built = (|| {
            let pool = g.max_pool(input, &MaxPool::new(2, 2))?;
            let pooled = g.relu(pool)?;
            let first = g.max_unpool(pooled, pool)?;
            let second = g.relu(input)?;
            g.output("first", first)?;
            g.output("second", second)
        })();
        built.expect("it fits");
        let whole = Plan::new(g.clone(), false);
        assert_eq!(whole.outputs, [NodeId(3), NodeId(4)]);
        assert_eq!(whole.last_reader, [Some(4), Some(2), Some(3), None, None]);
        assert_eq!(whole.last_unpool, [None, Some(3), None, None, None]);
        let first = Plan::new(g, true);
        assert_eq!(first.needed, [true, true, true, true, false]);
        assert_eq!(first.last_reader[0], Some(1));
    }
}
