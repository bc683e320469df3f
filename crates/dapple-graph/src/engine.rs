//! The interface of the engines that run a graph.

use crate::{DropoutState, GraphError, Loss, Network, Optimizer, Shape, State};
use dapple_base::InputFault;
use std::sync::Arc;

/// A dense batch of maps, channels-last.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// `[n, h, w, c]`.
    pub shape: Shape,
    /// Row-major values, `shape.len()` of them.
    pub data: Vec<f32>,
}

impl Tensor {
    /// A tensor of these values.
    ///
    /// # Panics
    /// If their number is not that of the shape.
    pub fn new(shape: Shape, data: Vec<f32>) -> Self {
        assert_eq!(shape.len(), data.len(), "{shape} needs {} values", shape.len());
        Self { shape, data }
    }

    /// A tensor of zeros.
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, data: vec![0.0; shape.len()] }
    }
}

/// How a graph is run forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Batch norm takes the batch's statistics and updates the running ones; dropout drops; what the gradient needs
    /// is kept. All outputs.
    Train,
    /// Batch norm takes its running statistics. All outputs.
    Eval,
    /// As `Eval`, the first output only, everything that can be folded or left out is.
    Predict,
    /// As `Eval`, but dropout drops: each pass is a sample of the network (Monte Carlo dropout, Gal and Ghahramani
    /// 2016; Bayesian SegNet, Kendall et al. 2017).
    Sample,
}

/// What an engine can fail with.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The network does not fit the input.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Inputs, labels or states that do not fit the network.
    #[error("{0}")]
    Input(String),
    /// The device failed.
    #[error("{device}: {why}")]
    Device {
        /// Name of the device.
        device: String,
        /// What it said.
        why: String,
    },
}

impl InputFault for EngineError {
    /// Only of a network that does not fit the user's size: the other arguments come from the program.
    fn is_input_fault(&self) -> bool {
        matches!(self, Self::Graph(_))
    }
}

/// Where numbers stopped being numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The parameter, or the layer (a node of the graph).
    pub place: String,
    /// What of it.
    pub kind: FaultKind,
}

/// What is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A parameter's own values.
    Parameter,
    /// A layer's output in the forward pass.
    Output,
    /// The loss of outputs that are all finite.
    Loss,
    /// A gradient that a layer passes on or that its parameters get.
    Gradient,
}

impl Fault {
    /// The first trained parameter with a value that is not finite.
    pub fn of_parameters(state: &State) -> Option<Self> {
        let wrong = |index: &usize| state.slice(*index).iter().any(|v| !v.is_finite());
        let mut trained = (0..state.specs.len()).filter(|&index| state.specs[index].role.trainable());
        trained
            .find(wrong)
            .map(|index| Self { place: state.specs[index].name.clone(), kind: FaultKind::Parameter })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            FaultKind::Parameter => write!(f, "parameter `{}`", self.place),
            FaultKind::Output => write!(f, "the output of layer `{}`", self.place),
            FaultKind::Loss => write!(f, "the loss of finite outputs"),
            FaultKind::Gradient => write!(f, "the gradient at layer `{}`", self.place),
        }
    }
}

/// Checks that there is one factor of the learning rate for each parameter.
///
/// # Errors
/// [`EngineError::Input`] otherwise.
pub fn check_rate_factors(factors: &[f32], parameters: usize) -> Result<(), EngineError> {
    if factors.len() == parameters {
        return Ok(());
    }
    Err(EngineError::Input(format!("{} rate factors for {parameters} parameters", factors.len())))
}

/// A device that runs networks.
pub trait Engine: Send + Sync {
    /// Its name as `--device` takes it, for instance `cpu`.
    fn device(&self) -> String;

    /// A running copy of a network. `optimizer` is needed for training only.
    ///
    /// # Errors
    /// If the state does not fit the network.
    fn load(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
    ) -> Result<Box<dyn Executor>, EngineError>;
}

/// The optimiser's memory: everything but the parameters that the next step depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Steps taken.
    pub steps: u64,
    /// One flat buffer a slot, laid out like [`State::values`].
    pub slots: Vec<Vec<f32>>,
}

/// A network with its parameters on a device. Graphs are planned once for each shape and kept.
pub trait Executor: Send {
    /// Runs forward and returns the outputs' logits, the primary one first.
    ///
    /// # Errors
    /// If the network cannot be built for this shape.
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Vec<Tensor>, EngineError>;

    /// After `forward` in [`Mode::Train`]: the gradient of the parameters, given that of each output. It is
    /// added to what stands in the gradient buffer since the last [`Executor::step`].
    ///
    /// # Errors
    /// If the last forward pass was none for training or the shapes differ from its outputs'.
    fn backward(&mut self, output_gradients: &[Tensor]) -> Result<(), EngineError>;

    /// Forward and backward for one batch with labels `[n, h, w]`; returns the loss. The gradient, times
    /// `scale`, is added to the gradient buffer. `scale` is 1, or 1 / parts when a batch comes in parts.
    ///
    /// # Errors
    /// If labels and outputs differ in size, or a label is outside the classes.
    fn accumulate(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError>;

    /// The loss in [`Mode::Eval`], with the primary output's logits.
    ///
    /// # Errors
    /// As [`Executor::accumulate`].
    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError>;

    /// One step of the optimiser with the accumulated gradient, which is scaled down to the norm `clip`
    /// if it is longer; returns the norm before clipping. A norm that is not finite changes nothing.
    ///
    /// # Errors
    /// If the network was loaded without an optimiser.
    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError>;

    /// Sets the factor of the learning rate of each parameter, in the order of [`State::specs`]; at first all are 1.
    /// Parameters with factor 0 are frozen: neither they nor their memory change, and their gradients do not count in
    /// the norm.
    ///
    /// # Errors
    /// If there is not one factor for each parameter.
    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError>;

    /// The first parameter or, running a batch again as [`Executor::accumulate`] does, the first layer in computing order
    /// with a value that is not finite; `None` if all are finite. For diagnosis: it takes long, and moves running
    /// statistics and the gradient.
    ///
    /// # Errors
    /// As [`Executor::accumulate`].
    fn find_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError>;

    /// Moves the average of parameters and running statistics towards them: `average = decay average + (1 - decay)
    /// values`. The first call begins with the values as they are.
    fn update_average(&mut self, decay: f32);

    /// The average; `None` before the first update.
    fn average(&self) -> Option<State>;

    /// Goes on with an average.
    ///
    /// # Errors
    /// If it is not of this network.
    fn set_average(&mut self, state: &State) -> Result<(), EngineError>;

    /// Exchanges parameters and running statistics with their average, so that it can be evaluated; a second call
    /// exchanges them back. Without an average, nothing happens.
    fn swap_ema(&mut self);

    /// Parameters and running statistics.
    fn state(&self) -> State;

    /// Overwrites parameters and running statistics.
    ///
    /// # Errors
    /// If they are not of this network.
    fn set_state(&mut self, state: &State) -> Result<(), EngineError>;

    /// The accumulated gradient, laid out like [`State::values`].
    fn gradients(&self) -> Vec<f32>;

    /// Where dropout's random numbers stand; at first at pass 0 of seed 0.
    fn dropout_state(&self) -> DropoutState;

    /// Sets seed and pass of dropout's random numbers.
    fn set_dropout_state(&mut self, state: DropoutState);

    /// The optimiser's memory.
    fn optimizer_state(&self) -> OptimizerState;

    /// Overwrites the optimiser's memory.
    ///
    /// # Errors
    /// If it is not of this network and optimiser.
    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError>;
}
