//! Passes over a plan.

use super::inference::{CpuExecutor, Scratch};
use crate::joint::Joined;
use crate::kernels::kernel::Memory;
use crate::kernels::loss::LossInput;
use crate::kernels::pixels;
use crate::memory::Buffer;
use crate::plan::Plan;
use dapple_graph::engine::check_input;
use dapple_graph::{DropoutState, EngineError, Inference, Loss, LossPart, Mode, Shape, Target, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// The circumstances in which steps run.
pub(super) struct Pass<'a> {
    pub mode: Mode,
    pub dropout: DropoutState,
    /// None outside training.
    pub gradients: Option<&'a mut Buffer>,
    /// Add to the gradients instead of overwriting them.
    pub accumulate: bool,
}

impl Pass<'_> {
    /// A pass forward.
    pub fn forward(mode: Mode, dropout: DropoutState) -> Self {
        Self { mode, dropout, gradients: None, accumulate: false }
    }
}

impl CpuExecutor {
    /// Runs a range of a plan's steps.
    pub(super) fn run(&mut self, plan: &Plan, steps: Range<usize>, pass: Pass<'_>) {
        let Scratch { arena, shared, local } = &mut self.scratch;
        let (params, statistics) = match (&mut self.folded, pass.mode) {
            (Some(folded), Mode::Eval | Mode::Predict | Mode::Sample) => {
                (&mut folded.params, &mut folded.statistics)
            }
            _ => (&mut self.params, &mut self.statistics),
        };
        let (shared, local) = (shared.base(), local.base());
        let mut memory = Memory {
            arena: arena.base(),
            params: params.base(),
            statistics: statistics.base(),
            shared,
            local,
            gradients: pass.gradients,
            accumulate: pass.accumulate,
            dropout: pass.dropout,
            joint: self.joint.as_ref().filter(|_| pass.mode == Mode::Train),
        };
        let level = self.resources.level;
        let threads = self.resources.pool.threads();
        self.resources.pool.install(|| {
            for step in &plan.steps[steps] {
                [memory.shared, memory.local] = match step.scratch {
                    Some([shared, local]) => {
                        let lens = step.kernel.scratch();
                        [
                            memory.arena.part(shared, lens.shared),
                            memory.arena.part(local, threads * lens.local),
                        ]
                    }
                    None => [shared, local],
                };
                step.kernel.run(level, &mut memory);
            }
        });
    }

    /// Puts an input into the arena of its plan, and takes the pass's position in dropout's random numbers.
    pub(super) fn begin_forward(
        &mut self,
        input: &Tensor,
        mode: Mode,
        input_gradient: bool,
    ) -> Result<(Arc<Plan>, DropoutState), EngineError> {
        check_input(input)?;
        let plan = self.plan(input.shape, mode, input_gradient)?;
        let drawn = self.dropout.draw(mode);
        let arena = self.scratch.arena.base();
        self.resources.pool.install(|| pixels::read_in(arena, &input.data, input.shape, plan.input_offset));
        Ok((plan, drawn))
    }

    /// A pass without gradients; its outputs are in the arena.
    pub(super) fn run_inference(
        &mut self,
        input: &Tensor,
        mode: Inference,
    ) -> Result<Arc<Plan>, EngineError> {
        let mode = Mode::from(mode);
        let (plan, drawn) = self.begin_forward(input, mode, false)?;
        self.run(&plan, 0..plan.forward, Pass::forward(mode, drawn));
        Ok(plan)
    }

    /// One of the outputs in the arena.
    pub(super) fn output(&mut self, plan: &Plan, index: usize) -> Tensor {
        let (shape, offset) = plan.outputs[index];
        let mut tensor = Tensor::zeros(shape);
        pixels::read_out(self.scratch.arena.base(), offset, shape, &mut tensor.data);
        tensor
    }

    /// All outputs in the arena.
    pub(super) fn outputs(&mut self, plan: &Plan) -> Vec<Tensor> {
        (0..plan.outputs.len()).map(|index| self.output(plan, index)).collect()
    }

    /// The loss of the outputs in the arena. With a scale, for training plans only, the outputs' gradients times the scale are
    /// written too.
    pub(super) fn loss(
        &mut self,
        plan: &Plan,
        labels: &[u8],
        loss: &Loss,
        scale: Option<f32>,
    ) -> Result<f64, EngineError> {
        let shapes: Vec<Shape> = plan.outputs.iter().map(|output| output.0).collect();
        let seen = loss.seen_output().filter(|&index| index < shapes.len());
        let seen = seen.map(|index| self.output(plan, index).data);
        let arena = self.scratch.arena.base();
        let mut total = 0.0;
        let mut written = vec![false; shapes.len()];
        let joint = self.joint.as_ref().filter(|_| scale.is_some());
        let mut parts = loss.parts(labels, &shapes, seen.as_deref())?;
        if let Some(joint) = joint {
            parts.iter_mut().filter(|part| loss.target(part.output) == Target::Boundaries).for_each(|part| {
                let mut counts = part.boundary_counts();
                joint.sum(&mut counts);
                part.balance(counts);
            });
        }
        for LossPart { output, factor: weight, labels, loss } in &parts {
            let (weight, (shape, logits)) = (f64::from(*weight), plan.outputs[*output]);
            let input = LossInput { level: self.resources.level, logits, shape, labels, loss, joint };
            let target = scale.map(|scale| {
                let mut target = plan.output_gradients[*output].clone();
                target.blocks.iter_mut().for_each(|block| block.accumulate |= written[*output]);
                (weight * f64::from(scale), target)
            });
            written[*output] = true;
            total += weight
                * self.resources.pool.install(|| match &target {
                    Some((factor, target)) => input.run(arena, *factor, Some(target)),
                    None => input.run(arena, 0.0, None),
                });
        }
        self.joint.as_ref().map_or(Ok(()), Joined::check)?;
        Ok(total)
    }
}
