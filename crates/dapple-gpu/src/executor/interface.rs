//! The engine's interface, with the executor's parts behind it.

use super::{GpuExecutor, Parameters, download, fitting};
use crate::flat::{Flat, read};
use crate::guard;
use crate::loss;
use dapple_graph::engine::{OptimizerState, check_rate_factors};
use dapple_graph::{DropoutState, EngineError, Executor, Fault, Loss, Mode, State, Tensor};

impl GpuExecutor {
    /// Runs something that may fail on the device; of a batch of that shape if one is given.
    fn guarded<T>(
        &mut self,
        batch: Option<&Tensor>,
        f: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let name = self.engine.name.clone();
        let result = guard::run(&name, || f(self));
        match batch {
            Some(input) => result.map_err(|error| guard::of_batch(error, input.shape)),
            None => result,
        }
    }
}

impl Executor for GpuExecutor {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Vec<Tensor>, EngineError> {
        self.pending = None;
        self.guarded(Some(input), |executor| {
            let name = executor.engine.name.clone();
            if mode != Mode::Train {
                let outputs = executor.infer(input, mode)?;
                return outputs.into_iter().map(|output| download(output, &name)).collect();
            }
            let images = executor.upload(input)?;
            let (pending, statistics) = executor.train(input.shape, images)?;
            let outputs: Result<Vec<Tensor>, EngineError> =
                pending.outputs.iter().map(|output| download(output.clone(), &name)).collect();
            let outputs = outputs?;
            executor.pending = Some(pending);
            executor.parameters.statistics = statistics;
            executor.folded = None;
            Ok(outputs)
        })
    }

    fn backward(&mut self, output_gradients: &[Tensor]) -> Result<(), EngineError> {
        let pending = self.pending.take().ok_or_else(|| {
            EngineError::Input("backward needs a forward pass for training right before it".into())
        })?;
        self.guarded(output_gradients.first(), |executor| {
            let total = executor.weighed(&pending.outputs, output_gradients)?;
            let gradients = executor.accumulated(total, &pending.leaves);
            let empty = || Flat::zeros(executor.lens[0], &executor.engine.device);
            executor.gradients = Some(gradients.unwrap_or_else(empty));
            Ok(())
        })
    }

    fn accumulate(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError> {
        self.pending = None;
        self.guarded(Some(input), |executor| executor.labelled_pass(input, labels, loss, scale))
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        self.pending = None;
        self.guarded(Some(input), |executor| {
            let name = executor.engine.name.clone();
            let outputs = executor.infer(input, Mode::Eval)?;
            let total = loss::loss(&outputs, labels, loss, &executor.engine.device, &name)?;
            let value = total.map_or(Ok(0.0), |total| read(total, &name).map(|v| f64::from(v[0])))?;
            Ok((value, download(outputs[0].clone(), &name)?))
        })
    }

    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        self.guarded(None, |executor| executor.learn(learning_rate, clip))
    }

    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError> {
        check_rate_factors(factors, self.specs.len())?;
        self.rate_factors = factors.to_vec();
        Ok(())
    }

    fn find_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        self.pending = None;
        self.guarded(Some(input), |executor| executor.first_fault(input, labels, loss))
    }

    fn update_average(&mut self, decay: f32) {
        let moved = guard::run(&self.engine.name, || Ok(self.moved_average(1.0 - decay)));
        // Where the device has been lost, the next pass says so.
        if let Ok(moved) = moved {
            self.average = Some(moved);
        }
    }

    fn average(&self) -> Option<State> {
        self.average.as_ref().map(|average| self.exported_or_lost(average))
    }

    fn set_average(&mut self, state: &State) -> Result<(), EngineError> {
        fitting(&self.specs, state)?;
        let average = self.guarded(None, |executor| Ok(Parameters::new(state, &executor.engine)))?;
        self.average = Some(average);
        Ok(())
    }

    fn swap_ema(&mut self) {
        if let Some(average) = &mut self.average {
            std::mem::swap(average, &mut self.parameters);
            self.folded = None;
        }
    }

    fn state(&self) -> State {
        self.exported_or_lost(&self.parameters)
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        fitting(&self.specs, state)?;
        self.parameters = self.guarded(None, |executor| Ok(Parameters::new(state, &executor.engine)))?;
        self.folded = None;
        Ok(())
    }

    fn gradients(&self) -> Vec<f32> {
        self.gradients
            .as_ref()
            .map_or_else(|| vec![0.0; self.lens[0]], |gradients| self.read_or_lost(gradients))
    }

    fn dropout_state(&self) -> DropoutState {
        self.dropout
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.dropout = state;
    }

    fn optimizer_state(&self) -> OptimizerState {
        OptimizerState {
            steps: self.steps,
            slots: self.slots.iter().map(|slot| self.read_or_lost(slot)).collect(),
        }
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError> {
        let len = self.lens[0];
        if state.slots.len() != self.slots.len() || state.slots.iter().any(|s| s.len() != len) {
            return Err(EngineError::Input(
                "the optimiser's state is not of this network and optimiser".into(),
            ));
        }
        self.slots = self.guarded(None, |executor| {
            Ok(state.slots.iter().map(|slot| Flat::new(slot, &executor.engine.device)).collect())
        })?;
        self.steps = state.steps;
        Ok(())
    }
}
