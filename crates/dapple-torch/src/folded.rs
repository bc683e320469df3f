//! The network with its batch norms folded, for inference.

use crate::failure::Failure;
use crate::params::Params;
use crate::plan::Plan;
use dapple_graph::engine::PlanCache;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{Graph, GraphError, Shape, State};
use std::sync::Arc;
use tch::Device;

/// Parameters with their batch norms folded, and graphs for them. Dropped when the network's parameters change.
pub(crate) struct Folded {
    /// The unfolded parameters.
    source: State,
    pub params: Params,
    plans: PlanCache<(Shape, bool), Plan>,
}

impl Folded {
    /// Folds the batch norms of a network with these parameters.
    pub fn new(graph: &Graph, source: State, device: Device) -> Result<Self, Failure> {
        let (_, state) = fold_batch_norm(graph, &source)?;
        Ok(Self { params: Params::new(&state, device)?, source, plans: PlanCache::new() })
    }

    /// The plan for a graph of the network, for all outputs or the first one.
    pub fn plan(&mut self, graph: &Graph, first_only: bool) -> Result<Arc<Plan>, GraphError> {
        let key = (graph.shape(graph.input()), first_only);
        if let Some(plan) = self.plans.get(&key) {
            return Ok(plan);
        }
        let (folded, _) = fold_batch_norm(graph, &self.source)?;
        Ok(self.plans.insert(key, Plan::new(folded, first_only)))
    }
}
