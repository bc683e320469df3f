//! A network in training: an executor with Burn's gradients, an optimizer and a moving average.

use super::inference::{GpuExecutor, Parameters, advice, download, shape_of};
use crate::card::Card;
use crate::flat::{Flat, read};
use crate::guard;
use crate::loss;
use crate::ops::Map;
use crate::pass::Trace;
use burn_tensor::Tensor as Values;
use dapple_graph::engine::{
    OptimizerState, check_flat_gradient, check_gradients, check_optimizer_state, check_rate_factors,
    check_state,
};
use dapple_graph::{
    DropoutState, EngineError, Executor, Fault, Inference, InputError, Loss, Mode, Optimizer, Shape, State,
    Tensor, Trainer,
};

/// Iterations after which llvmpipe ends a shader's loops.
const LOOP_ITERATIONS: usize = 65_535;

/// A training pass that waits for the gradients of its outputs.
struct Pending {
    outputs: Vec<Map>,
    leaves: Vec<Values<1>>,
}

/// Trains a network.
pub(crate) struct GpuTrainer {
    pub(super) executor: GpuExecutor,
    pub(super) optimizer: Optimizer,
    average: Option<Parameters>,
    /// Since the last step.
    pub(super) gradients: Option<Flat>,
    pub(super) slots: Vec<Flat>,
    pub(super) steps: u64,
    /// Factor of the learning rate of each parameter.
    pub(super) rate_factors: Vec<f32>,
    pending: Option<Pending>,
}

impl GpuTrainer {
    /// A trainer of an executor's network.
    pub fn around(executor: GpuExecutor, optimizer: Optimizer) -> Result<Self, EngineError> {
        let Card { device, name, .. } = &executor.card;
        let zeros = |_| Flat::zeros(executor.lens[0], device);
        let slots = guard::run(name, || Ok((0..optimizer.slots()).map(zeros).collect()))?;
        Ok(Self {
            optimizer,
            average: None,
            gradients: None,
            slots,
            steps: 0,
            rate_factors: vec![1.0; executor.specs.len()],
            pending: None,
            executor,
        })
    }

    /// As [`GpuExecutor::guarded`].
    fn guarded<T>(
        &mut self,
        batch: Option<Shape>,
        f: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let name = self.executor.card.name.clone();
        guard::run_batch(&name, batch, || f(self))
    }

    /// Refuses to train with sums that a software renderer would cut short: llvmpipe leaves every shader's loops after 65,535
    /// iterations (Mesa, `LP_MAX_TGSI_LOOP_ITERATIONS`), in silence, and gradients are sums over all pixels.
    fn check_loops(&self, input: Shape) -> Result<(), EngineError> {
        if !self.executor.card.adapter.software || input.pixels() <= LOOP_ITERATIONS {
            return Ok(());
        }
        let advice = advice((LOOP_ITERATIONS / (input.h * input.w)) as u64);
        let why = format!(
            "a software renderer cannot train with a batch of {} pixels: it ends loops after {LOOP_ITERATIONS} iterations; \
             {advice}, or --device cpu, which is faster",
            input.pixels()
        );
        Err(EngineError::Device { device: self.executor.card.name.clone(), why })
    }

    /// A training pass; running statistics as they are after it.
    fn train(&mut self, shape: Shape, images: Map) -> Result<(Pending, Flat), EngineError> {
        let graph = self.executor.graph(shape)?;
        self.check_loops(shape)?;
        let leaves = self.executor.leaves(true);
        let trace = self.executor.pass(&graph, &leaves, images, Mode::Train, false);
        let outputs = trace.outputs(&graph, Mode::Train);
        Ok((Pending { outputs, leaves }, self.moved_statistics(trace)))
    }

    /// The running statistics moved towards a batch's moments.
    fn moved_statistics(&self, trace: Trace) -> Flat {
        let running = &self.executor.parameters.statistics;
        let mut parts = Vec::new();
        for (mean, var, momentum, moments) in trace.moments {
            for (id, new) in [(mean, moments.mean), (var, moments.var)] {
                let spec = &self.executor.specs[id.0];
                let range = spec.offset..spec.offset + spec.len();
                if let Some(old) = running.cut(range.clone()) {
                    parts.push((range, old * (1.0 - momentum) + new * momentum));
                }
            }
        }
        parts.sort_by_key(|(range, _)| range.start);
        running.replaced(parts)
    }

    /// The gradient buffer with that of `total` added.
    fn accumulated(&self, total: Option<Values<1>>, leaves: &[Values<1>]) -> Option<Flat> {
        let new = total.filter(Values::is_tracked).map(|total| {
            let mut gradients = total.backward();
            let trained = self.executor.specs.iter().zip(leaves).filter(|(spec, _)| spec.role.trainable());
            let parts = trained.map(|(spec, leaf)| {
                let found = leaf.grad_remove(&mut gradients);
                found.unwrap_or_else(|| Values::zeros([spec.len()], &self.executor.card.device))
            });
            Flat(Some(Values::cat(parts.collect(), 0)))
        });
        match (&self.gradients, new) {
            (Some(old), Some(new)) => Some(old.with(&new, |a, b| a + b)),
            (old, new) => new.or_else(|| old.clone()),
        }
    }

    /// The loss of a training pass. Its gradient, times `scale`, and its running statistics are kept once it has succeeded.
    fn labelled_pass(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError> {
        let name = self.executor.card.name.clone();
        let images = self.executor.upload(input)?;
        let (Pending { outputs, leaves }, statistics) = self.train(input.shape, images)?;
        let total = loss::loss(&outputs, labels, loss, &self.executor.card.device, &name)?;
        let scaled = total.clone().map(|total| total * scale);
        let gradients = self.accumulated(scaled, &leaves);
        // Reading waits for everything before: what fails has changed nothing.
        let value = total.map_or(Ok(0.0), |total| read(total.inner(), &name).map(|v| f64::from(v[0])))?;
        self.gradients =
            gradients.or_else(|| Some(Flat::zeros(self.executor.lens[0], &self.executor.card.device)));
        self.executor.parameters.statistics = statistics;
        self.executor.folded = None;
        Ok(value)
    }

    /// The sum of outputs times their gradients, whose gradient is that of the network.
    fn weighed(&self, outputs: &[Map], gradients: &[Tensor]) -> Result<Option<Values<1>>, EngineError> {
        let shapes: Vec<Shape> = outputs.iter().map(shape_of).collect();
        check_gradients(gradients, &shapes)?;
        let mut total: Option<Values<1>> = None;
        for (output, gradient) in outputs.iter().zip(gradients) {
            let part = (output.clone() * self.executor.upload(gradient)?).sum();
            total = Some(match total {
                Some(total) => total + part,
                None => part,
            });
        }
        Ok(total)
    }

    /// The average moved towards the values by a share of the way; the first time, the values.
    fn moved_average(&self, share: f32) -> Parameters {
        let now = &self.executor.parameters;
        let Some(average) = &self.average else { return now.clone() };
        let towards = |from: &Flat, to: &Flat| {
            from.with(to, |from, to| {
                let way = to - from.clone();
                from + way * share
            })
        };
        Parameters {
            values: towards(&average.values, &now.values),
            statistics: towards(&average.statistics, &now.statistics),
        }
    }

    fn read_or_lost(&self, values: &Flat) -> Vec<f32> {
        let name = &self.executor.card.name;
        guard::run(name, || values.read(name)).unwrap_or_else(|_| vec![f32::NAN; self.executor.lens[0]])
    }
}

impl Executor for GpuTrainer {
    fn infer(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Tensor>, EngineError> {
        self.pending = None;
        self.executor.infer(input, mode)
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        self.pending = None;
        self.executor.evaluate(input, labels, loss)
    }

    fn state(&self) -> State {
        self.executor.state()
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.executor.set_state(state)
    }

    fn dropout_state(&self) -> DropoutState {
        self.executor.dropout_state()
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.executor.set_dropout_state(state);
    }
}

impl Trainer for GpuTrainer {
    fn forward(&mut self, input: &Tensor) -> Result<Vec<Tensor>, EngineError> {
        self.pending = None;
        self.guarded(Some(input.shape), |trainer| {
            let images = trainer.executor.upload(input)?;
            let (pending, statistics) = trainer.train(input.shape, images)?;
            let name = &trainer.executor.card.name;
            let outputs: Result<Vec<Tensor>, EngineError> =
                pending.outputs.iter().map(|output| download(output.clone(), name)).collect();
            let outputs = outputs?;
            trainer.pending = Some(pending);
            trainer.executor.parameters.statistics = statistics;
            trainer.executor.folded = None;
            Ok(outputs)
        })
    }

    fn backward(&mut self, output_gradients: &[Tensor]) -> Result<(), EngineError> {
        let pending = self.pending.take().ok_or(InputError::NoForwardPass)?;
        let batch = output_gradients.first().map(|gradient| gradient.shape);
        self.guarded(batch, |trainer| {
            let total = trainer.weighed(&pending.outputs, output_gradients)?;
            let gradients = trainer.accumulated(total, &pending.leaves);
            let executor = &trainer.executor;
            let empty = || Flat::zeros(executor.lens[0], &executor.card.device);
            trainer.gradients = Some(gradients.unwrap_or_else(empty));
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
        self.guarded(Some(input.shape), |trainer| trainer.labelled_pass(input, labels, loss, scale))
    }

    fn gradients(&self) -> Vec<f32> {
        let zeros = || vec![0.0; self.executor.lens[0]];
        self.gradients.as_ref().map_or_else(zeros, |gradients| self.read_or_lost(gradients))
    }

    fn set_gradients(&mut self, gradients: &[f32]) -> Result<(), EngineError> {
        check_flat_gradient(self.executor.lens[0], gradients)?;
        let flat = self.guarded(None, |trainer| Ok(Flat::new(gradients, &trainer.executor.card.device)))?;
        self.gradients = Some(flat);
        Ok(())
    }

    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        self.guarded(None, |trainer| trainer.learn(learning_rate, clip))
    }

    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError> {
        check_rate_factors(factors, self.executor.specs.len())?;
        self.rate_factors = factors.to_vec();
        Ok(())
    }

    fn optimizer_state(&self) -> OptimizerState {
        let slots = self.slots.iter().map(|slot| self.read_or_lost(slot)).collect();
        OptimizerState { steps: self.steps, slots }
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError> {
        check_optimizer_state(self.optimizer, self.executor.lens[0], state)?;
        self.slots = self.guarded(None, |trainer| {
            let device = &trainer.executor.card.device;
            Ok(state.slots.iter().map(|slot| Flat::new(slot, device)).collect())
        })?;
        self.steps = state.steps;
        Ok(())
    }

    fn update_average(&mut self, decay: f32) {
        let moved = guard::run(&self.executor.card.name, || Ok(self.moved_average(1.0 - decay)));
        // Where the device has been lost, the next pass says so.
        if let Ok(moved) = moved {
            self.average = Some(moved);
        }
    }

    fn average(&self) -> Option<State> {
        self.average.as_ref().map(|average| self.executor.exported_or_lost(average))
    }

    fn set_average(&mut self, state: &State) -> Result<(), EngineError> {
        check_state(&self.executor.specs, state)?;
        let average = self.guarded(None, |trainer| Ok(Parameters::new(state, &trainer.executor.card)))?;
        self.average = Some(average);
        Ok(())
    }

    fn swap_ema(&mut self) {
        if let Some(average) = &mut self.average {
            std::mem::swap(average, &mut self.executor.parameters);
            self.executor.folded = None;
        }
    }

    fn find_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        self.pending = None;
        self.guarded(Some(input.shape), |trainer| trainer.first_fault(input, labels, loss))
    }
}
