//! Errors of engines.

use crate::{GraphError, LossError, Shape};
use dapple_base::{InputFault, RanksError};

/// An engine's failure.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The network does not fit the input.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Inputs, labels or states that do not fit the network.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ranks that learn together cannot go on.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// The device failed, or cannot do what is asked of it.
    #[error("{device}: {why}")]
    Device {
        /// Name of the device.
        device: String,
        /// Its message.
        why: String,
    },
}

/// Arguments that do not fit the network or the executor's state.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// A batch without images, or images without pixels or channels.
    #[error("an input of shape {0} has no pixels")]
    Empty(Shape),
    /// A tensor whose values do not fill its shape.
    #[error("{values} values for an input of shape {shape}")]
    Values {
        /// Values given.
        values: usize,
        /// Shape given.
        shape: Shape,
    },
    /// Labels or a loss that do not fit the outputs.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Another network's parameters.
    #[error("the state's parameters are not those of the network")]
    ForeignState,
    /// The memory of another network or another optimizer.
    #[error("the optimizer's state is not of this network and optimizer")]
    ForeignOptimizerState,
    /// Not one factor of the learning rate for each parameter.
    #[error("{factors} rate factors for {parameters} parameters")]
    RateFactors {
        /// Factors given.
        factors: usize,
        /// Parameters of the network.
        parameters: usize,
    },
    /// A backward pass without its forward pass.
    #[error("backward needs a forward pass for training right before it")]
    NoForwardPass,
    /// Gradients of other shapes than the outputs'.
    #[error("gradients {gradients:?} for outputs {outputs:?}")]
    Gradients {
        /// Shapes given.
        gradients: Vec<Shape>,
        /// Shapes of the outputs.
        outputs: Vec<Shape>,
    },
    /// An optimizer step before any backward pass.
    #[error("a step needs gradients; none were accumulated")]
    NoGradients,
    /// A setting of an engine that it cannot take.
    #[error("{0}")]
    Setting(String),
}

impl From<LossError> for EngineError {
    fn from(error: LossError) -> Self {
        Self::Input(error.into())
    }
}

impl InputFault for EngineError {
    /// Only of a network that does not fit the user's size, and of a setting: the other arguments come from the program.
    fn is_input_fault(&self) -> bool {
        matches!(self, Self::Graph(_) | Self::Input(InputError::Setting(_)))
    }
}

impl From<String> for InputError {
    fn from(setting: String) -> Self {
        Self::Setting(setting)
    }
}

impl From<&str> for InputError {
    fn from(setting: &str) -> Self {
        Self::Setting(setting.to_owned())
    }
}
