//! Times of the single steps of a pass.

use super::inference::CpuExecutor;
use super::trainer::CpuTrainer;
use crate::executor::pass::Pass;
use crate::kernels::pixels;
use crate::plan::Plan;
use dapple_graph::engine::build;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{EngineError, Executor, Graph, Inference, Mode, Tensor};
use std::time::Instant;

/// Time of one step of a plan.
#[derive(Clone, Debug)]
pub struct StepTime {
    /// Name of the graph's node.
    pub node: String,
    /// Kind of kernel.
    pub kernel: &'static str,
    /// Whether the step belongs to the backward pass.
    pub backward: bool,
    /// Wall-clock time.
    pub seconds: f64,
}

impl CpuExecutor {
    /// Runs a forward pass and returns the seconds of each step.
    pub fn profile(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<StepTime>, EngineError> {
        let plan = self.run_inference(input, mode)?;
        let graph = build(self.network.as_ref(), input.shape)?;
        let (graph, _) = fold_batch_norm(&graph, &self.state())?;
        let (mode, dropout) = (Mode::from(mode), self.dropout);
        Ok(timed(&plan, &graph, |step| self.run(&plan, step..step + 1, Pass::forward(mode, dropout))))
    }
}

impl CpuTrainer {
    /// Runs a forward pass and a backward one with zero gradients, and returns the seconds of each step.
    pub fn profile(&mut self, input: &Tensor) -> Result<Vec<StepTime>, EngineError> {
        let plan = self.run_forward(input)?;
        let graph = build(self.executor.network.as_ref(), input.shape)?;
        let arena = self.executor.scratch.arena.base();
        for (target, (shape, _)) in plan.output_gradients.iter().zip(&plan.outputs) {
            pixels::read_in_gradient(arena, &vec![0.0; shape.len()], target);
        }
        self.run_backward(&plan);
        Ok(timed(&plan, &graph, |step| self.run(&plan, step..step + 1)))
    }
}

/// Repeats the steps of a finished pass, which the arena holds, in order.
fn timed(plan: &Plan, names: &Graph, mut run: impl FnMut(usize)) -> Vec<StepTime> {
    let time = |index: usize| {
        let start = Instant::now();
        run(index);
        let step = &plan.steps[index];
        StepTime {
            node: names.nodes()[step.node].name.clone(),
            kernel: step.kernel.name(),
            backward: index >= plan.forward,
            seconds: start.elapsed().as_secs_f64(),
        }
    };
    (0..plan.steps.len()).map(time).collect()
}
