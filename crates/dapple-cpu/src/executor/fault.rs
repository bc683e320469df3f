//! The first NaN or infinite value of a pass, which runs step by step for that.

use super::trainer::CpuTrainer;
use crate::kernels::kernel::Kernel;
use dapple_graph::engine::build;
use dapple_graph::{EngineError, Executor, Fault, FaultKind, Loss, Tensor};

impl CpuTrainer {
    pub(super) fn first_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        let state = self.executor.state();
        if let Some(fault) = Fault::of_parameters(&state) {
            return Ok(Some(fault));
        }
        let graph = build(self.executor.network.as_ref(), input.shape)?;
        let fault = |node: usize, kind| {
            let place = graph.nodes()[node].name.clone();
            Ok(Some(Fault { place, kind }))
        };
        if input.data.iter().any(|v| !v.is_finite()) {
            return fault(0, FaultKind::Output);
        }
        let plan = self.begin_forward(input)?;
        for (i, step) in plan.steps[..plan.forward].iter().enumerate() {
            self.run(&plan, i..i + 1);
            if !self.is_finite(&*step.kernel) {
                return fault(step.node, FaultKind::Output);
            }
        }
        if !self.executor.loss(&plan, labels, loss, Some(1.0))?.is_finite() {
            return Ok(Some(Fault::of_loss()));
        }
        self.fresh = true;
        self.begin_backward(&plan);
        for (i, step) in plan.steps.iter().enumerate().skip(plan.forward) {
            self.run(&plan, i..i + 1);
            if !self.is_finite(&*step.kernel) {
                return fault(step.node, FaultKind::Gradient);
            }
        }
        self.executor.folded = None;
        Ok(None)
    }

    /// Whether everything that a step wrote is finite.
    fn is_finite(&mut self, kernel: &dyn Kernel) -> bool {
        let arena = self.executor.scratch.arena.base();
        let written = kernel.writes_gradients();
        let of_parameters = |values: &[f32]| {
            let segments = self.executor.layout.segments(&self.rate_factors);
            let written = segments.iter().filter(|segment| written.contains(&segment.start));
            let mut values = written.flat_map(|s| &values[s.start..s.start + s.len]);
            values.all(|v| v.is_finite())
        };
        kernel.targets().into_iter().all(|target| target.is_finite(arena))
            && self.gradients.as_ref().is_none_or(|gradients| of_parameters(gradients.as_slice()))
    }
}
