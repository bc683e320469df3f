//! Plans for input shapes, with their memory.

use super::inference::{CpuExecutor, Folded};
use crate::compile::{Integers, compile};
use crate::layout::Layout;
use crate::memory::{self, Buffer};
use crate::plan::{Budget, Plan, Purpose};
use crate::settings::{Resources, TrainingMemory};
use dapple_graph::engine::build;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{EngineError, Executor, Mode, Network, Optimizer, Shape};
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
                compile(&graph, &self.layout, purpose, settings.convolution, self.budget(), None)
            }
            Mode::Eval | Mode::Predict | Mode::Sample => {
                let (graph, _) = fold_batch_norm(&graph, &self.state())?;
                let folded = self.folded.as_ref().expect("folded above");
                let purpose =
                    Purpose::Infer { first_only: mode == Mode::Predict, sample: mode == Mode::Sample };
                let integers = folded.integers.as_ref();
                compile(&graph, &folded.layout, purpose, settings.convolution, self.budget(), integers)
            }
        };
        let local_len = plan.local_len * threads;
        let bytes = (plan.values(threads) + self.kept_values()).saturating_mul(size_of::<f32>());
        let kept = self.kept_values().saturating_mul(size_of::<f32>());
        let obtainable = memory::obtainable_bytes();
        let available = settings.memory_limit.into_iter().chain(obtainable).min();
        let refused = |more: &str| EngineError::Device {
            device: "cpu".into(),
            why: format!(
                "an input of shape {shape} needs {:.2} GB of memory{more}; {}",
                bytes as f64 / 1e9,
                remedy(shape, bytes, kept, available)
            ),
        };
        if let Some(limit) = settings.memory_limit.filter(|limit| bytes > *limit) {
            let [kept, limit] = [kept, limit].map(|bytes| bytes as f64 / 1e9);
            let more = format!(
                " at least, {kept:.2} GB of it whatever the batch and the size, more than the limit of {limit:.2} GB"
            );
            return Err(refused(&more));
        }
        if let Some(all) = obtainable.filter(|all| bytes > *all) {
            return Err(refused(&format!(", more than the {:.2} GB that are available", all as f64 / 1e9)));
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
        let level = self.resources.level;
        let quantization = self.network.quantization();
        let integers = quantization.map(|q| Integers::new(&graph, &state, q, level));
        self.folded = Some(Folded { layout, params, statistics, integers });
        Ok(())
    }

    /// Values that are kept between passes.
    fn kept_values(&self) -> usize {
        self.layout.trainable + self.layout.statistics + self.kept_by_training
    }

    /// The plans' share of the limit.
    fn budget(&self) -> Budget {
        let limit = self.resources.settings.memory_limit;
        let threads = self.resources.pool.threads();
        Budget { values: budget(limit, self.kept_values()), threads }
    }
}

/// The values that a limit in bytes leaves for a plan; the largest number without a limit.
fn budget(limit: Option<usize>, kept: usize) -> usize {
    limit.map_or(usize::MAX, |limit| (limit / size_of::<f32>()).saturating_sub(kept))
}

/// Values that a training keeps between passes besides parameters and running statistics: gradients, and the optimizer's
/// memory of as many slots.
pub(super) fn kept_by_training(layout: &Layout, slots: usize) -> usize {
    (1 + slots) * layout.trainable
}

/// The memory that a training with batches of this shape takes. Plans only, and allocates nothing of size.
pub(crate) fn training_memory(
    resources: &Resources,
    network: &dyn Network,
    optimizer: Optimizer,
    shape: Shape,
) -> Result<TrainingMemory, EngineError> {
    let graph = build(network, shape)?;
    let layout = Layout::new(&graph);
    let kept = layout.trainable + layout.statistics + kept_by_training(&layout, optimizer.slots());
    let (settings, threads) = (resources.settings, resources.pool.threads());
    let bytes = |values: usize| {
        let purpose = Purpose::Train { input_gradient: false };
        let budget = Budget { values, threads };
        let plan = compile(&graph, &layout, purpose, settings.convolution, budget, None);
        (plan.values(threads) + kept) * size_of::<f32>()
    };
    Ok(TrainingMemory {
        planned: bytes(budget(settings.memory_limit, kept)),
        smallest: bytes(0),
        kept: kept * size_of::<f32>(),
    })
}

/// The size that would fit into the memory instead, `kept` bytes of which do not depend on the batch.
fn remedy(shape: Shape, bytes: usize, kept: usize, available: Option<usize>) -> String {
    let left = available.map_or(0, |available| available.saturating_sub(kept));
    let each = (bytes.saturating_sub(kept) / shape.n.max(1)).max(1);
    // Estimates: scratch memory does not grow with the batch or the size throughout.
    let side = |side: usize| (side as f64 * (left as f64 / each as f64).sqrt() / 32.0) as usize * 32;
    match (left / each, side(shape.h), side(shape.w)) {
        (images, ..) if (1..shape.n).contains(&images) => format!("a batch of about {images} would fit"),
        (0, height @ 1.., width @ 1..) => {
            format!("images of about {height} x {width} would fit, one at a time")
        }
        _ => "use a smaller size or batch".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_a_size_that_fits() {
        let shape = Shape::new(8, 512, 512, 3);
        let remedy = |available| remedy(shape, 900, 100, Some(available));
        assert_eq!(remedy(450), "a batch of about 3 would fit");
        assert_eq!(remedy(125), "images of about 256 x 256 would fit, one at a time");
        assert_eq!(remedy(100), "use a smaller size or batch");
    }
}
