//! A network with its parameters, for inference. A training builds on it ([`super::trainer`]).

use crate::compile::Integers;
use crate::joint::Joined;
use crate::layout::Layout;
use crate::memory::Buffer;
use crate::plan::Plan;
use crate::settings::Resources;
use dapple_graph::engine::{PlanCache, check_state};
use dapple_graph::{
    DropoutState, EngineError, Executor, Inference, Loss, Mode, Network, Shape, State, Tensor,
};
use std::sync::Arc;

/// The parameters of a network with its batch norms folded.
pub(super) struct Folded {
    pub(super) layout: Layout,
    pub(super) params: Buffer,
    pub(super) statistics: Buffer,
    /// The weights of the convolutions that compute in integers, of a quantized network.
    pub(super) integers: Option<Integers>,
}

/// Memory that all plans share.
pub(super) struct Scratch {
    pub(super) arena: Buffer,
    pub(super) shared: Buffer,
    pub(super) local: Buffer,
}

/// Runs a network.
pub(crate) struct CpuExecutor {
    pub(super) resources: Resources,
    pub(super) network: Arc<dyn Network>,
    pub(super) layout: Layout,
    pub(super) params: Buffer,
    pub(super) statistics: Buffer,
    pub(super) plans: PlanCache<(Shape, Mode), Plan>,
    pub(super) scratch: Scratch,
    /// Built when inference first needs it, dropped when parameters change.
    pub(super) folded: Option<Folded>,
    /// Values that a training keeps between passes: gradients, the optimizer's memory, averages.
    pub(super) kept_by_training: usize,
    /// Of the next pass that drops.
    pub(super) dropout: DropoutState,
    /// The ranks that a training divides its batches among.
    pub(super) joint: Option<Joined>,
}

impl CpuExecutor {
    pub fn new(resources: &Resources, network: Arc<dyn Network>, state: &State) -> Result<Self, EngineError> {
        Self::for_input(resources, network.clone(), state, network.example_input())
    }

    /// As [`CpuExecutor::new`], with the parameters of the network's graph for an input of this shape.
    pub fn for_input(
        resources: &Resources,
        network: Arc<dyn Network>,
        state: &State,
        shape: Shape,
    ) -> Result<Self, EngineError> {
        let layout = Layout::new(&network.build(shape)?);
        let empty = || Buffer::zeroed(0);
        let mut executor = Self {
            resources: resources.clone(),
            network,
            params: Buffer::zeroed(layout.trainable),
            statistics: Buffer::zeroed(layout.statistics),
            layout,
            plans: PlanCache::new(),
            scratch: Scratch { arena: empty(), shared: empty(), local: empty() },
            folded: None,
            kept_by_training: 0,
            dropout: DropoutState::default(),
            joint: None,
        };
        executor.set_state(state)?;
        Ok(executor)
    }

    /// Values of the network in PyTorch's order.
    pub(super) fn exported(&self, params: &Buffer, statistics: &Buffer) -> State {
        State {
            specs: self.layout.specs.clone(),
            values: self.layout.export(true, params),
            statistics: self.layout.export(false, statistics),
        }
    }
}

impl Executor for CpuExecutor {
    fn infer(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Tensor>, EngineError> {
        let plan = self.run_inference(input, mode)?;
        Ok(self.outputs(&plan))
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        let plan = self.run_inference(input, Inference::Eval)?;
        let value = self.loss(&plan, labels, loss, None)?;
        Ok((value, self.output(&plan, 0)))
    }

    fn state(&self) -> State {
        self.exported(&self.params, &self.statistics)
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        check_state(&self.layout.specs, state)?;
        self.layout.import(true, &state.values, &mut self.params);
        self.layout.import(false, &state.statistics, &mut self.statistics);
        self.folded = None;
        if self.network.quantization().is_some() {
            // Plans hold integer weights.
            self.plans = PlanCache::new();
        }
        Ok(())
    }

    fn dropout_state(&self) -> DropoutState {
        self.dropout
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.dropout = state;
    }
}
