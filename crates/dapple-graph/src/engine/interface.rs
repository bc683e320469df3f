//! The traits of engines, of networks on a device, and of networks in training.

use super::error::EngineError;
use super::fault::Fault;
use super::joint::Joint;
use super::mode::Inference;
use super::optimizer_state::OptimizerState;
use super::tensor::Tensor;
use crate::{DropoutState, Loss, Network, Optimizer, State};
use dapple_base::Ranks;
use std::sync::Arc;

/// A device that runs networks.
pub trait Engine: Send + Sync {
    /// Its name as `--device` takes it, for instance `cpu`.
    fn device(&self) -> String;

    /// A copy of a network to run. It holds no gradients and no optimizer's memory.
    ///
    /// # Errors
    /// If the state does not fit the network, or the device fails.
    fn load(&self, network: Arc<dyn Network>, state: &State) -> Result<Box<dyn Executor>, EngineError>;

    /// A copy of a network to train.
    ///
    /// # Errors
    /// As [`Engine::load`].
    fn load_trainer(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Optimizer,
    ) -> Result<Box<dyn Trainer>, EngineError>;
}

/// A network with its parameters on a device. Graphs are planned once for each input shape and kept.
pub trait Executor: Send {
    /// Runs forward and returns the outputs' logits, the primary one first.
    ///
    /// # Errors
    /// If the network cannot be built for this shape, or the device fails.
    fn infer(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Tensor>, EngineError>;

    /// The loss in [`Inference::Eval`], with the primary output's logits. Labels are `[n, h, w]`.
    ///
    /// # Errors
    /// As [`Executor::infer`]; if labels and outputs differ in size, or a label is outside the classes.
    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError>;

    /// Parameters and running statistics. Where the device has failed and does not give them, they are NaN, which no
    /// checkpoint takes.
    fn state(&self) -> State;

    /// Overwrites parameters and running statistics.
    ///
    /// # Errors
    /// If they are not of this network, or the device fails.
    fn set_state(&mut self, state: &State) -> Result<(), EngineError>;

    /// The position in dropout's random numbers; at first pass 0 of seed 0.
    fn dropout_state(&self) -> DropoutState;

    /// Sets seed and pass of dropout's random numbers.
    fn set_dropout_state(&mut self, state: DropoutState);
}

/// A network in training.
pub trait Trainer: Executor {
    /// Runs forward in [`Mode::Train`](super::Mode::Train) and returns the outputs' logits, the primary one first.
    ///
    /// # Errors
    /// As [`Executor::infer`].
    fn forward(&mut self, input: &Tensor) -> Result<Vec<Tensor>, EngineError>;

    /// Right after [`Trainer::forward`]: the gradient of the parameters, given that of each output. It is added to the
    /// gradient accumulated since the last [`Trainer::step`].
    ///
    /// # Errors
    /// If the last pass was another one, or the shapes differ from its outputs'.
    fn backward(&mut self, output_gradients: &[Tensor]) -> Result<(), EngineError>;

    /// Forward and backward for one batch with labels `[n, h, w]`; returns the loss. The gradient, times `scale`, is added to
    /// that accumulated since the last step. `scale` is 1, or 1 / parts when a batch comes in parts.
    ///
    /// # Errors
    /// As [`Executor::evaluate`].
    fn accumulate(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError>;

    /// The accumulated gradient, laid out like [`State::values`]; zeros right after a step.
    fn gradients(&self) -> Vec<f32>;

    /// Overwrites the accumulated gradient, laid out like [`State::values`], for instance with a sum over ranks.
    ///
    /// # Errors
    /// If there is not one value for each trainable one, or the device fails.
    fn set_gradients(&mut self, gradients: &[f32]) -> Result<(), EngineError>;

    /// Replaces the accumulated gradient by its sum over ranks, which all call it.
    ///
    /// # Errors
    /// If a rank has ended, or the device fails.
    fn sum_gradients(&mut self, ranks: &dyn Ranks) -> Result<(), EngineError> {
        let mut gradients = self.gradients();
        ranks.sum_f32(&mut gradients)?;
        self.set_gradients(&gradients)
    }

    /// Learns from batches that are divided among ranks, from now on; by itself again with `None`. Returns whether this
    /// engine can; if not, nothing has changed.
    ///
    /// The ranks then call [`Trainer::accumulate`] together, each with its images. It returns the loss of the whole batch, and
    /// adds this rank's addend to the gradient: the sum over the ranks is that of one process with all images, within
    /// rounding, if [`Joint::norms`] is set. Dropout draws for the whole batch too.
    fn join(&mut self, joint: Option<Joint>) -> bool {
        joint.is_none()
    }

    /// One step of the optimizer with the accumulated gradient, scaled down to the norm `clip` if it is longer; then the
    /// gradient is zero. Returns the norm before clipping. A norm that is not finite changes neither parameters nor memory.
    ///
    /// # Errors
    /// If no gradient was accumulated, or the device fails.
    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError>;

    /// Sets the factor of the learning rate of each parameter, in the order of [`State::specs`]; at first all are 1.
    /// Parameters with factor 0 are frozen: neither they nor their memory change, and their gradients do not count in
    /// the norm.
    ///
    /// # Errors
    /// If there is not one factor for each parameter.
    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError>;

    /// The optimizer's memory.
    fn optimizer_state(&self) -> OptimizerState;

    /// Overwrites the optimizer's memory.
    ///
    /// # Errors
    /// If it is not of this network and optimizer.
    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError>;

    /// Updates the moving average (EMA) of parameters and running statistics: `average = decay average + (1 - decay)
    /// values`. The first call starts it with the values as they are.
    fn update_average(&mut self, decay: f32);

    /// The moving average; `None` before the first update.
    fn average(&self) -> Option<State>;

    /// Overwrites the moving average.
    ///
    /// # Errors
    /// If it is not of this network.
    fn set_average(&mut self, state: &State) -> Result<(), EngineError>;

    /// Exchanges parameters and running statistics with their moving average, so that it can be evaluated; a second call
    /// exchanges them back. Without an average, nothing happens.
    fn swap_ema(&mut self);

    /// The first parameter or, running a batch again as [`Trainer::accumulate`] does, the first layer in computing order
    /// with a value that is NaN or infinite; `None` if all are finite. For diagnosis: it is slow, and changes running
    /// statistics and the gradient.
    ///
    /// # Errors
    /// As [`Trainer::accumulate`].
    fn find_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError>;
}
