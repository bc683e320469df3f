//! Functions of single values.

use crate::{Graph, GraphError, NodeId, Op, Pointwise};

impl Graph {
    /// A function of each value.
    ///
    /// # Errors
    /// If the node is not of this graph.
    pub fn activate(&mut self, x: NodeId, function: Pointwise) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        Ok(self.push_unnamed(Op::Pointwise(function), vec![x], s))
    }
}
