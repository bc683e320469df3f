//! Dropout and stochastic depth.

use crate::{Graph, GraphError, Node, NodeId, Op};

impl Graph {
    /// Inverted dropout of single values with probability `rate`; identity where the mode does not sample.
    ///
    /// # Errors
    /// If the rate is not in `0 .. 1`.
    pub fn dropout(&mut self, x: NodeId, rate: f32) -> Result<NodeId, GraphError> {
        self.dropping(x, rate, |rate, stream| Op::Dropout { rate, stream })
    }

    /// Stochastic depth: inverted dropout of whole images with probability `rate`; identity except in training.
    ///
    /// # Errors
    /// If the rate is not in `0 .. 1`.
    pub fn drop_path(&mut self, x: NodeId, rate: f32) -> Result<NodeId, GraphError> {
        self.dropping(x, rate, |rate, stream| Op::DropPath { rate, stream })
    }

    fn dropping(&mut self, x: NodeId, rate: f32, op: fn(f32, u64) -> Op) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let drops = |node: &&Node| matches!(node.op, Op::Dropout { .. } | Op::DropPath { .. });
        let op = op(rate, self.nodes().iter().filter(drops).count() as u64);
        if !(0.0..1.0).contains(&rate) {
            let name = format!("{}.{}", op.kind(), self.nodes().len());
            let why = format!("the rate is {rate}; it must be at least 0 and below 1");
            return Err(GraphError::Invalid { op: op.kind(), name, shape: s, why });
        }
        Ok(self.push_unnamed(op, vec![x], s))
    }
}
