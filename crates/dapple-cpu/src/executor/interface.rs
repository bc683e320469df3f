//! The engine's interface, with the executor's parts behind it.

use super::CpuExecutor;
use crate::kernels::{optim, pixels};
use crate::memory::Buffer;
use dapple_graph::engine::{OptimizerState, check_rate_factors};
use dapple_graph::{DropoutState, EngineError, Executor, Fault, Loss, Mode, Shape, State, Tensor};

impl Executor for CpuExecutor {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Vec<Tensor>, EngineError> {
        let plan = self.run_forward(input, mode)?;
        let outputs = (0..plan.outputs.len()).map(|i| self.output(&plan, i)).collect();
        if mode == Mode::Train {
            self.pending = Some(plan);
        }
        Ok(outputs)
    }

    fn backward(&mut self, output_gradients: &[Tensor]) -> Result<(), EngineError> {
        let plan = self.pending.take().ok_or_else(|| {
            EngineError::Input("backward needs a forward pass for training right before it".into())
        })?;
        let shapes: Vec<Shape> = plan.outputs.iter().map(|o| o.0).collect();
        let given: Vec<Shape> = output_gradients.iter().map(|t| t.shape).collect();
        if shapes != given {
            return Err(EngineError::Input(format!("gradients {given:?} for outputs {shapes:?}")));
        }
        let arena = self.scratch.arena.base();
        for (gradient, target) in output_gradients.iter().zip(&plan.output_gradients) {
            pixels::read_in_gradient(arena, &gradient.data, target);
        }
        self.run_backward(&plan);
        Ok(())
    }

    fn accumulate(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError> {
        let plan = self.run_forward(input, Mode::Train)?;
        let value = self.loss(&plan, labels, loss, Some(scale))?;
        self.run_backward(&plan);
        Ok(value)
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        let plan = self.run_forward(input, Mode::Eval)?;
        let value = self.loss(&plan, labels, loss, None)?;
        Ok((value, self.output(&plan, 0)))
    }

    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        self.learn(learning_rate, clip)
    }

    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError> {
        check_rate_factors(factors, self.layout.specs.len())?;
        self.rate_factors = factors.to_vec();
        self.tasks = optim::tasks(&self.layout.segments(&self.rate_factors));
        Ok(())
    }

    fn find_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        self.first_fault(input, labels, loss)
    }

    fn update_average(&mut self, decay: f32) {
        self.move_average(decay);
    }

    fn average(&self) -> Option<State> {
        let [params, statistics] = self.average.as_ref()?;
        Some(self.exported(params, statistics))
    }

    fn set_average(&mut self, state: &State) -> Result<(), EngineError> {
        self.fitting(state)?;
        let mut buffers = [Buffer::zeroed(self.layout.trainable), Buffer::zeroed(self.layout.statistics)];
        self.layout.import(true, &state.values, &mut buffers[0]);
        self.layout.import(false, &state.statistics, &mut buffers[1]);
        self.average = Some(buffers);
        Ok(())
    }

    fn swap_ema(&mut self) {
        if let Some([params, statistics]) = &mut self.average {
            std::mem::swap(params, &mut self.params);
            std::mem::swap(statistics, &mut self.statistics);
            self.folded = None;
        }
    }

    fn state(&self) -> State {
        self.exported(&self.params, &self.statistics)
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.fitting(state)?;
        self.layout.import(true, &state.values, &mut self.params);
        self.layout.import(false, &state.statistics, &mut self.statistics);
        self.folded = None;
        Ok(())
    }

    fn gradients(&self) -> Vec<f32> {
        match &self.gradients {
            Some(gradients) if !self.fresh => self.layout.export(true, gradients),
            _ => vec![0.0; self.layout.outer_len(true)],
        }
    }

    fn dropout_state(&self) -> DropoutState {
        self.dropout
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.dropout = state;
    }

    fn optimizer_state(&self) -> OptimizerState {
        let slots = self.slots.iter().map(|s| self.layout.export(true, s)).collect();
        OptimizerState { steps: self.steps, slots }
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError> {
        let len = self.layout.outer_len(true);
        if state.slots.len() != self.slots.len() || state.slots.iter().any(|s| s.len() != len) {
            return Err(EngineError::Input(
                "the optimiser's state is not of this network and optimiser".into(),
            ));
        }
        for (slot, values) in self.slots.iter_mut().zip(&state.slots) {
            self.layout.import(true, values, slot);
        }
        self.steps = state.steps;
        Ok(())
    }
}
