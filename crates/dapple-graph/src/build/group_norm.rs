//! Group normalization.

use crate::{Graph, GraphError, NodeId, Op};

impl Graph {
    /// Group normalization with PyTorch's default `eps` and parameters `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// If a parameter of that name exists, the channels are not divisible into the groups, or the map is empty.
    pub fn group_norm(&mut self, name: &str, x: NodeId, groups: usize) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if groups == 0 || !s.c.is_multiple_of(groups) || s.is_empty() {
            let why = format!("cannot be divided into {groups} groups of channels");
            return Err(GraphError::Invalid { op: "group_norm", name: name.into(), shape: s, why });
        }
        let [gamma, beta] = self.scale_and_shift(name, s.c)?;
        Ok(self.push(name, Op::GroupNorm { gamma, beta, groups, eps: 1e-5 }, vec![x], s))
    }
}
