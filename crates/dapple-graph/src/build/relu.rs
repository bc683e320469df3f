//! Rectification.

use crate::{Graph, GraphError, NodeId, Op};

impl Graph {
    /// `max(x, 0)`.
    ///
    /// # Errors
    /// If the node is not of this graph.
    pub fn relu(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        Ok(self.push_unnamed(Op::Relu, vec![x], s))
    }
}
