//! A network in training: an executor with gradients from autograd, an optimizer and a moving average.

use super::inference::{NO_BATCH, TorchExecutor, downloaded, readable};
use crate::failure::{Attempt, Failure};
use crate::ops::Context;
use crate::pass;
use crate::plan::Plan;
use crate::rates::Rates;
use crate::rules::Rules;
use crate::scaling::Scaling;
use crate::transfer::{upload, upload_map};
use dapple_graph::engine::{
    OptimizerState, PlanCache, build, check_flat_gradient, check_gradients, check_input,
    check_optimizer_state, check_rate_factors, check_state,
};
use dapple_graph::{
    DropoutState, EngineError, Executor, Fault, Inference, InputError, Loss, Mode, Optimizer, Shape, State,
    Tensor as Map, Trainer,
};
use std::sync::Arc;
use tch::{Kind, TchError, Tensor};

/// Trains a network.
pub(crate) struct TorchTrainer {
    pub(super) executor: TorchExecutor,
    pub(super) rules: Rules,
    pub(super) rates: Rates,
    /// Of parameters and running statistics.
    pub(super) average: Option<[Tensor; 2]>,
    /// Accumulated since the last step, `[values]`; `None` where nothing was.
    pub(super) gradient: Option<Tensor>,
    scaling: Scaling,
    plans: PlanCache<Shape, Plan>,
    /// The last forward pass in training, until its backward pass.
    pending: Option<Taped>,
    /// A failure of a call whose interface has no error: the next call that has one returns it.
    deferred: Option<TchError>,
}

/// A forward pass that can be differentiated.
pub(super) struct Taped {
    pub outputs: Vec<Tensor>,
    pub shapes: Vec<Shape>,
    /// The parameters' buffer in it.
    pub leaf: Tensor,
}

impl TorchTrainer {
    /// A trainer of an executor's network.
    pub fn around(executor: TorchExecutor, optimizer: Optimizer) -> Result<Self, EngineError> {
        let (params, device) = (&executor.params, executor.device);
        let made = Rules::new(optimizer, params).and_then(|rules| {
            let rates = Rates::new(vec![1.0; params.specs.len()], &params.specs, optimizer, device)?;
            Ok((rules, rates))
        });
        let network = executor.network.as_ref();
        let attempt = Attempt { device, network, input: network.example_input(), training: Some(optimizer) };
        let (rules, rates) = made.map_err(|error| attempt.error(&error))?;
        Ok(Self {
            rules,
            rates,
            average: None,
            gradient: None,
            scaling: Scaling::new(executor.precision),
            plans: PlanCache::new(),
            pending: None,
            deferred: None,
            executor,
        })
    }

    /// Runs what may fail in libtorch, and explains how it failed.
    fn attempt<T>(
        &mut self,
        input: Shape,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, EngineError> {
        let result = match self.deferred.take() {
            Some(error) => Err(Failure::Torch(error)),
            None => work(self),
        };
        result.map_err(|failure| {
            // A failed pass leaves memory behind that the next one may need.
            self.pending = None;
            let TorchExecutor { device, network, .. } = &self.executor;
            let training = Some(self.rules.optimizer);
            Attempt { device: *device, network: network.as_ref(), input, training }.explain(failure)
        })
    }

    /// The plan for training.
    fn plan(&mut self, shape: Shape) -> Result<Arc<Plan>, EngineError> {
        if let Some(plan) = self.plans.get(&shape) {
            return Ok(plan);
        }
        let graph = build(self.executor.network.as_ref(), shape)?;
        Ok(self.plans.insert(shape, Plan::new(graph, false)))
    }

    /// Forward in training, with the tape that backward needs. `look` sees each node's value.
    pub(super) fn tape(
        &mut self,
        input: &Map,
        look: impl FnMut(usize, &Tensor) -> Result<(), TchError>,
    ) -> Result<Taped, Failure> {
        self.pending = None;
        check_input(input)?;
        let plan = self.plan(input.shape)?;
        let (device, low) = (self.executor.device, self.executor.low());
        let views = self.executor.params.views(low)?;
        let dropout = self.executor.dropout.draw(Mode::Train);
        // Running statistics move, whether or not the pass succeeds.
        self.executor.folded = None;
        let context = Context { views: &views, device, mode: Mode::Train, low, dropout };
        let outputs = pass::run(&plan, &context, upload_map(input, device)?, look)?;
        let shapes = plan.outputs.iter().map(|id| plan.graph.shape(*id)).collect();
        Ok(Taped { outputs, shapes, leaf: views.leaf })
    }

    /// Adds the gradient of a sum by the parameters to the gradient.
    fn differentiate(&mut self, total: &Tensor, leaf: &Tensor) -> Result<(), Failure> {
        if !total.requires_grad() {
            // No parameter has a part in it.
            if self.gradient.is_none() {
                self.gradient = Some(leaf.f_detach()?.f_zeros_like()?);
            }
            return Ok(());
        }
        let adapts = self.scaling.adapts();
        let gradient = loop {
            let factor = self.scaling.factor();
            let scaled = if factor == 1.0 { total.shallow_clone() } else { total.f_mul_scalar(factor)? };
            let mut found = Tensor::f_run_backward(&[scaled], &[leaf], adapts, false)?;
            let gradient = found.pop().expect("one for the one input");
            let gradient = if gradient.defined() { gradient } else { leaf.f_detach()?.f_zeros_like()? };
            let gradient = if factor == 1.0 { gradient } else { gradient.f_mul_scalar(1.0 / factor)? };
            if !adapts || is_finite(&gradient)? || !self.scaling.shrink() {
                break gradient;
            }
        };
        self.scaling.passed();
        self.gradient = Some(match self.gradient.take() {
            Some(sum) => sum.f_add(&gradient)?,
            None => gradient,
        });
        Ok(())
    }
}

/// Whether all values are finite.
pub(super) fn is_finite(values: &Tensor) -> Result<bool, TchError> {
    Ok(values.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}

impl Executor for TorchTrainer {
    fn infer(&mut self, input: &Map, mode: Inference) -> Result<Vec<Map>, EngineError> {
        self.pending = None;
        self.attempt(input.shape, |trainer| Ok(trainer.executor.infer(input, mode)?))
    }

    fn evaluate(&mut self, input: &Map, labels: &[u8], loss: &Loss) -> Result<(f64, Map), EngineError> {
        self.pending = None;
        self.attempt(input.shape, |trainer| Ok(trainer.executor.evaluate(input, labels, loss)?))
    }

    fn state(&self) -> State {
        self.executor.state()
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.attempt(NO_BATCH, |trainer| Ok(trainer.executor.set_state(state)?))
    }

    fn dropout_state(&self) -> DropoutState {
        self.executor.dropout_state()
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.executor.set_dropout_state(state);
    }
}

impl Trainer for TorchTrainer {
    fn forward(&mut self, input: &Map) -> Result<Vec<Map>, EngineError> {
        self.attempt(input.shape, |trainer| {
            let taped = trainer.tape(input, |_, _| Ok(()))?;
            let outputs = downloaded(&taped.outputs, &taped.shapes)?;
            trainer.pending = Some(taped);
            Ok(outputs)
        })
    }

    fn backward(&mut self, output_gradients: &[Map]) -> Result<(), EngineError> {
        let taped = self.pending.take().ok_or(InputError::NoForwardPass)?;
        check_gradients(output_gradients, &taped.shapes)?;
        let batch = taped.shapes.first().copied().unwrap_or(NO_BATCH);
        self.attempt(batch, |trainer| {
            // The sum of products with constants has these constants as its gradient.
            let mut total = None;
            for (output, gradient) in taped.outputs.iter().zip(output_gradients) {
                let gradient = upload_map(gradient, trainer.executor.device)?;
                let product = output.f_to_kind(Kind::Float)?.f_mul(&gradient)?.f_sum(Kind::Float)?;
                total = Some(match total {
                    Some(total) => product.f_add(&total)?,
                    None => product,
                });
            }
            match total {
                Some(total) => trainer.differentiate(&total, &taped.leaf),
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
        self.attempt(input.shape, |trainer| {
            let taped = trainer.tape(input, |_, _| Ok(()))?;
            let total = trainer.executor.loss(&taped.outputs, &taped.shapes, labels, loss)?;
            let Some(total) = total else {
                if trainer.gradient.is_none() {
                    trainer.gradient = Some(taped.leaf.f_detach()?.f_zeros_like()?);
                }
                return Ok(0.0);
            };
            trainer.differentiate(&total.f_mul_scalar(f64::from(scale))?, &taped.leaf)?;
            // Read last, so that the card has all its work before the host waits for it.
            Ok(total.f_double_value(&[])?)
        })
    }

    fn gradients(&self) -> Vec<f32> {
        match &self.gradient {
            Some(gradient) => readable(gradient),
            None => vec![0.0; self.executor.params.values.numel()],
        }
    }

    fn set_gradients(&mut self, gradients: &[f32]) -> Result<(), EngineError> {
        check_flat_gradient(self.executor.params.values.numel(), gradients)?;
        self.attempt(NO_BATCH, |trainer| {
            trainer.gradient = Some(upload(gradients, trainer.executor.device)?);
            Ok(())
        })
    }

    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        self.attempt(NO_BATCH, |trainer| trainer.learn(learning_rate, clip))
    }

    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError> {
        check_rate_factors(factors, self.executor.params.specs.len())?;
        self.attempt(NO_BATCH, |trainer| {
            let TorchExecutor { params, device, .. } = &trainer.executor;
            trainer.rates = Rates::new(factors.to_vec(), &params.specs, trainer.rules.optimizer, *device)?;
            Ok(())
        })
    }

    fn optimizer_state(&self) -> OptimizerState {
        OptimizerState { steps: self.rules.steps, slots: self.rules.slots.iter().map(readable).collect() }
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError> {
        check_optimizer_state(self.rules.optimizer, self.executor.params.values.numel(), state)?;
        self.attempt(NO_BATCH, |trainer| {
            let device = trainer.executor.device;
            let slots: Result<Vec<_>, TchError> =
                state.slots.iter().map(|slot| upload(slot, device)).collect();
            (trainer.rules.slots, trainer.rules.steps) = (slots?, state.steps);
            Ok(())
        })
    }

    fn update_average(&mut self, decay: f32) {
        if let Err(error) = self.move_average(decay) {
            self.deferred = Some(error);
        }
    }

    fn average(&self) -> Option<State> {
        let [values, statistics] = self.average.as_ref()?;
        Some(self.executor.exported_or_lost(values, statistics))
    }

    fn set_average(&mut self, state: &State) -> Result<(), EngineError> {
        check_state(&self.executor.params.specs, state)?;
        self.attempt(NO_BATCH, |trainer| {
            let device = trainer.executor.device;
            trainer.average = Some([upload(&state.values, device)?, upload(&state.statistics, device)?]);
            Ok(())
        })
    }

    fn swap_ema(&mut self) {
        if let Some([values, statistics]) = &mut self.average {
            let executor = &mut self.executor;
            std::mem::swap(values, &mut executor.params.values);
            std::mem::swap(statistics, &mut executor.params.statistics);
            executor.folded = None;
        }
    }

    fn find_fault(&mut self, input: &Map, labels: &[u8], loss: &Loss) -> Result<Option<Fault>, EngineError> {
        self.attempt(input.shape, |trainer| trainer.first_fault(input, labels, loss))
    }
}
