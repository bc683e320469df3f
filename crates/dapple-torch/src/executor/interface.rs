//! The engine's interface, with the executor's parts behind it.

use super::{TorchExecutor, foreign_state};
use crate::failure::Failure;
use crate::rates::Rates;
use crate::transfer::{download, upload, upload_map};
use dapple_graph::engine::{OptimizerState, check_rate_factors};
use dapple_graph::{DropoutState, EngineError, Executor, Fault, Loss, Mode, Shape, State, Tensor as Map};
use tch::{Kind, TchError, Tensor};

/// For what does not depend on a batch.
const NO_BATCH: Shape = Shape::new(1, 1, 1, 1);

/// A flat buffer's values. Where the device has failed and gives none, they are no numbers, which no checkpoint takes.
fn readable(flat: &Tensor) -> Vec<f32> {
    download(flat).unwrap_or_else(|_| vec![f32::NAN; flat.numel()])
}

impl TorchExecutor {
    fn told(&self, values: &Tensor, statistics: &Tensor) -> State {
        State { specs: self.params.specs.clone(), values: readable(values), statistics: readable(statistics) }
    }
}

impl Executor for TorchExecutor {
    fn forward(&mut self, input: &Map, mode: Mode) -> Result<Vec<Map>, EngineError> {
        self.attempt(input.shape, mode == Mode::Train, |executor| {
            if mode == Mode::Train {
                let taped = executor.tape(input, |_, _| Ok(()))?;
                let outputs = Self::downloaded(&taped.outputs, &taped.shapes)?;
                executor.pending = Some(taped);
                return Ok(outputs);
            }
            let (outputs, shapes) = executor.infer(input, mode)?;
            Ok(Self::downloaded(&outputs, &shapes)?)
        })
    }

    fn backward(&mut self, output_gradients: &[Map]) -> Result<(), EngineError> {
        let taped = self.pending.take().ok_or_else(|| {
            EngineError::Input("backward needs a forward pass for training right before it".into())
        })?;
        let given: Vec<Shape> = output_gradients.iter().map(|gradient| gradient.shape).collect();
        if taped.shapes != given {
            return Err(EngineError::Input(format!("gradients {given:?} for outputs {:?}", taped.shapes)));
        }
        self.attempt(given.first().copied().unwrap_or(NO_BATCH), true, |executor| {
            // The sum of products with constants has these constants as its gradient.
            let mut total = None;
            for (output, gradient) in taped.outputs.iter().zip(output_gradients) {
                let gradient = upload_map(gradient, executor.device)?;
                let product = output.f_to_kind(Kind::Float)?.f_mul(&gradient)?.f_sum(Kind::Float)?;
                total = Some(match total {
                    Some(total) => product.f_add(&total)?,
                    None => product,
                });
            }
            match total {
                Some(total) => executor.differentiate(&total, &taped.leaf),
                None => Ok(()),
            }
        })
    }

    fn accumulate(
        &mut self,
        input: &Map,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError> {
        self.attempt(input.shape, true, |executor| {
            let taped = executor.tape(input, |_, _| Ok(()))?;
            let total = executor.loss(&taped.outputs, &taped.shapes, labels, loss)?;
            let Some(total) = total else {
                if executor.gradient.is_none() {
                    executor.gradient = Some(taped.leaf.f_detach()?.f_zeros_like()?);
                }
                return Ok(0.0);
            };
            executor.differentiate(&total.f_mul_scalar(f64::from(scale))?, &taped.leaf)?;
            // Read last, so that the card has all its work before the host waits for it.
            Ok(total.f_double_value(&[])?)
        })
    }

    fn evaluate(&mut self, input: &Map, labels: &[u8], loss: &Loss) -> Result<(f64, Map), EngineError> {
        self.attempt(input.shape, false, |executor| {
            let (outputs, shapes) = executor.infer(input, Mode::Eval)?;
            let _guard = tch::no_grad_guard();
            let total = executor.loss(&outputs, &shapes, labels, loss)?;
            let value = total.map_or(Ok(0.0), |total| total.f_double_value(&[]))?;
            let first = Self::downloaded(&outputs[..1], &shapes[..1])?.swap_remove(0);
            Ok((value, first))
        })
    }

    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        self.attempt(NO_BATCH, true, |executor| executor.learn(learning_rate, clip))
    }

    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError> {
        check_rate_factors(factors, self.params.specs.len())?;
        self.attempt(NO_BATCH, true, |executor| {
            let optimizer = executor.rules.as_ref().map(|rules| rules.optimizer);
            executor.rates =
                Rates::new(factors.to_vec(), &executor.params.specs, optimizer, executor.device)?;
            Ok(())
        })
    }

    fn find_fault(&mut self, input: &Map, labels: &[u8], loss: &Loss) -> Result<Option<Fault>, EngineError> {
        self.attempt(input.shape, true, |executor| executor.first_fault(input, labels, loss))
    }

    fn update_average(&mut self, decay: f32) {
        if let Err(error) = self.move_average(decay) {
            self.deferred = Some(error);
        }
    }

    fn average(&self) -> Option<State> {
        let [values, statistics] = self.average.as_ref()?;
        Some(self.told(values, statistics))
    }

    fn set_average(&mut self, state: &State) -> Result<(), EngineError> {
        if !self.params.fits(state) {
            return Err(foreign_state());
        }
        self.attempt(NO_BATCH, true, |executor| {
            let device = executor.device;
            executor.average = Some([upload(&state.values, device)?, upload(&state.statistics, device)?]);
            Ok(())
        })
    }

    fn swap_ema(&mut self) {
        if let Some([values, statistics]) = &mut self.average {
            std::mem::swap(values, &mut self.params.values);
            std::mem::swap(statistics, &mut self.params.statistics);
            self.folded = None;
        }
    }

    fn state(&self) -> State {
        self.told(&self.params.values, &self.params.statistics)
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        if !self.params.fits(state) {
            return Err(foreign_state());
        }
        self.attempt(NO_BATCH, true, |executor| {
            executor.params.values = upload(&state.values, executor.device)?;
            executor.params.statistics = upload(&state.statistics, executor.device)?;
            executor.folded = None;
            Ok(())
        })
    }

    fn gradients(&self) -> Vec<f32> {
        match &self.gradient {
            Some(gradient) => readable(gradient),
            None => vec![0.0; self.params.values.numel()],
        }
    }

    fn dropout_state(&self) -> DropoutState {
        self.dropout
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.dropout = state;
    }

    fn optimizer_state(&self) -> OptimizerState {
        let Some(rules) = &self.rules else { return OptimizerState::default() };
        OptimizerState { steps: rules.steps, slots: rules.slots.iter().map(readable).collect() }
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError> {
        let len = self.params.values.numel();
        let slots = self.rules.as_ref().map_or(0, |rules| rules.slots.len());
        if state.slots.len() != slots || state.slots.iter().any(|slot| slot.len() != len) {
            return Err(EngineError::Input(
                "the optimiser's state is not of this network and optimiser".into(),
            ));
        }
        self.attempt(NO_BATCH, true, |executor| {
            let slots: Result<Vec<_>, TchError> =
                state.slots.iter().map(|slot| upload(slot, executor.device)).collect();
            if let Some(rules) = &mut executor.rules {
                (rules.slots, rules.steps) = (slots?, state.steps);
            }
            Ok::<(), Failure>(())
        })
    }
}
