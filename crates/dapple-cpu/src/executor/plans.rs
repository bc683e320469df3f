//! Plans for input shapes, with their memory.

use super::inference::{CpuExecutor, Folded};
use crate::compile::compile;
use crate::layout::Layout;
use crate::memory::{self, Buffer};
use crate::plan::{Budget, Plan, Purpose};
use crate::settings::TrainingMemory;
use dapple_graph::engine::build;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{EngineError, Executor, Mode, Shape};
use std::sync::Arc;

impl CpuExecutor {
    /// The plan for an input shape and a mode. When it returns, all memory is there. In training, `input_gradient` says whether
    /// the input's gradient is computed too.
    pub(super) fn plan(
        &mut self,
        shape: Shape,
        mode: Mode,
        input_gradient: bool,
    ) -> Result<Arc<Plan>, EngineError> {
        if mode != Mode::Train && self.folded.is_none() {
            self.fold(shape)?;
        }
        let threads = self.resources.pool.threads();
        if let Some(plan) = self.plans.get(&(shape, mode)) {
            return Ok(plan);
        }
        let graph = build(self.network.as_ref(), shape)?;
        let settings = self.resources.settings;
        let plan = match mode {
            Mode::Train => {
                let purpose = Purpose::Train { input_gradient };
                compile(&graph, &self.layout, purpose, settings.convolution, self.budget())
            }
            Mode::Eval | Mode::Predict | Mode::Sample => {
                let (graph, _) = fold_batch_norm(&graph, &self.state())?;
                let folded = self.folded.as_ref().expect("folded above");
                let purpose =
                    Purpose::Infer { first_only: mode == Mode::Predict, sample: mode == Mode::Sample };
                compile(&graph, &folded.layout, purpose, settings.convolution, self.budget())
            }
        };
        let local_len = plan.local_len * threads;
        let bytes = (plan.values(threads) + self.kept_values()).saturating_mul(size_of::<f32>());
        let refused = |more: &str| EngineError::Device {
            device: "cpu".into(),
            why: format!(
                "an input of shape {shape} needs {:.2} GB of memory{more}; use a smaller size or batch",
                bytes as f64 / 1e9
            ),
        };
        if let Some(limit) = settings.memory_limit.filter(|limit| bytes > *limit) {
            let more = format!(" at least, more than the limit of {:.2} GB", limit as f64 / 1e9);
            return Err(refused(&more));
        }
        if memory::machine_bytes().is_some_and(|all| bytes > all) {
            return Err(refused(""));
        }
        let grow = |buffer: &mut Buffer, len: usize| {
            if buffer.len() < len {
                // Free the old memory first.
                *buffer = Buffer::zeroed(0);
                *buffer = Buffer::try_zeroed(len).ok_or_else(|| refused(""))?;
            }
            Ok::<(), EngineError>(())
        };
        grow(&mut self.scratch.arena, plan.arena_len)?;
        grow(&mut self.scratch.shared, plan.shared_len)?;
        grow(&mut self.scratch.local, local_len)?;
        Ok(self.plans.insert((shape, mode), plan))
    }

    /// Folds the batch norms of the network.
    fn fold(&mut self, shape: Shape) -> Result<(), EngineError> {
        let (graph, state) = fold_batch_norm(&build(self.network.as_ref(), shape)?, &self.state())?;
        let layout = Layout::new(&graph);
        let (mut params, mut statistics) =
            (Buffer::zeroed(layout.trainable), Buffer::zeroed(layout.statistics));
        layout.import(true, &state.values, &mut params);
        layout.import(false, &state.statistics, &mut statistics);
        self.folded = Some(Folded { layout, params, statistics });
        Ok(())
    }

    /// Values that are kept between passes.
    fn kept_values(&self) -> usize {
        self.layout.trainable + self.layout.statistics + self.kept_by_training
    }

    /// The plans' share of the limit.
    fn budget(&self) -> Budget {
        let limit = self.resources.settings.memory_limit;
        let values = limit.map_or(usize::MAX, |limit| limit / size_of::<f32>());
        let threads = self.resources.pool.threads();
        Budget { values: values.saturating_sub(self.kept_values()), threads }
    }

    /// The memory that a training with batches of this shape takes.
    pub(super) fn training_memory(&self, shape: Shape) -> Result<TrainingMemory, EngineError> {
        let graph = build(self.network.as_ref(), shape)?;
        let threads = self.resources.pool.threads();
        let bytes = |budget| {
            let purpose = Purpose::Train { input_gradient: false };
            let convolution = self.resources.settings.convolution;
            let plan = compile(&graph, &self.layout, purpose, convolution, budget);
            (plan.values(threads) + self.kept_values()) * size_of::<f32>()
        };
        let smallest = bytes(Budget { values: 0, threads });
        Ok(TrainingMemory { planned: bytes(self.budget()), smallest })
    }
}
