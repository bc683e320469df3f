//! The network with its batch norms folded, for inference.

use crate::failure::Failure;
use crate::params::Params;
use crate::plan::Plan;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{Graph, GraphError, Shape, State};
use std::collections::HashMap;
use std::sync::Arc;
use tch::Device;

/// Shapes whose graphs are kept; more start anew.
const MAX_PLANS: usize = 32;

/// Parameters with their batch norms folded, and graphs for them. Dropped when the network's parameters change.
pub(crate) struct Folded {
    /// What was folded.
    source: State,
    pub params: Params,
    plans: HashMap<(Shape, bool), Arc<Plan>>,
}

impl Folded {
    /// Folds the batch norms of a network with these parameters.
    pub fn new(graph: &Graph, source: State, device: Device) -> Result<Self, Failure> {
        let (_, state) = fold_batch_norm(graph, &source)?;
        Ok(Self { params: Params::new(&state, device)?, source, plans: HashMap::new() })
    }

    /// The plan for a graph of the network, for all outputs or the first one.
    pub fn plan(&mut self, graph: &Graph, first_only: bool) -> Result<Arc<Plan>, GraphError> {
        let key = (graph.shape(graph.input()), first_only);
        if let Some(plan) = self.plans.get(&key) {
            return Ok(plan.clone());
        }
        if self.plans.len() >= MAX_PLANS {
            self.plans.clear();
        }
        let (folded, _) = fold_batch_norm(graph, &self.source)?;
        let plan = Arc::new(Plan::new(folded, first_only));
        self.plans.insert(key, plan.clone());
        Ok(plan)
    }
}
