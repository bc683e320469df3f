//! Removal of nodes that no output depends on.

use crate::{Graph, NodeId};

impl Graph {
    /// For each parameter, whether a node uses it.
    pub fn used_params(&self) -> Vec<bool> {
        let mut used = vec![false; self.params().len()];
        let ids = self.nodes().iter().flat_map(|node| node.op.params());
        ids.for_each(|id| used[id.0] = true);
        used
    }

    /// Removes the nodes that no output depends on. Their parameters stay, so that a network that uses a part of a
    /// published encoder can hold, load and give away all of it; they get no gradient.
    pub fn prune(&mut self) {
        let mut live = vec![false; self.nodes.len()];
        live[self.input().0] = true;
        self.outputs.iter().for_each(|(_, id)| live[id.0] = true);
        for index in (0..self.nodes.len()).rev() {
            if live[index] {
                let node = &self.nodes[index];
                node.inputs.iter().copied().chain(node.op.reference()).for_each(|id| live[id.0] = true);
            }
        }
        let mut next = 0;
        let place: Vec<NodeId> = live
            .iter()
            .map(|&live| {
                next += usize::from(live);
                NodeId(next.saturating_sub(1))
            })
            .collect();
        let mut index = 0;
        self.nodes.retain_mut(|node| {
            node.inputs.iter_mut().for_each(|id| *id = place[id.0]);
            if let Some(id) = node.op.reference_mut() {
                *id = place[id.0];
            }
            index += 1;
            live[index - 1]
        });
        self.outputs.iter_mut().for_each(|(_, id)| *id = place[id.0]);
    }
}
