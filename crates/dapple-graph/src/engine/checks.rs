//! Checks of arguments that every engine makes.

use super::{EngineError, InputError, OptimizerState, Tensor};
use crate::{Graph, Network, Optimizer, ParamSpec, Shape, State};

/// Checks that an input's values fill its shape.
///
/// # Errors
/// [`InputError::Values`] otherwise.
pub fn check_input(input: &Tensor) -> Result<(), EngineError> {
    let (values, shape) = (input.data.len(), input.shape);
    if values == shape.len() { Ok(()) } else { Err(InputError::Values { values, shape }.into()) }
}

/// A network's graph for an input shape with pixels.
///
/// # Errors
/// [`InputError::Empty`], or [`EngineError::Graph`] where the network does not fit the shape.
pub fn build(network: &dyn Network, shape: Shape) -> Result<Graph, EngineError> {
    if shape.is_empty() {
        return Err(InputError::Empty(shape).into());
    }
    Ok(network.build(shape)?)
}

/// Checks that a network can be trained.
///
/// # Errors
/// [`InputError::Setting`] for a quantized one, whose weights cannot move by less than a step of its integers.
pub fn check_trainable(network: &dyn Network) -> Result<(), EngineError> {
    match network.quantization() {
        None => Ok(()),
        Some(_) => Err(InputError::Setting(
            "a quantized model cannot be trained: train the model that it was made of, and quantize the result".into(),
        )
        .into()),
    }
}

/// Checks that a state has these parameters: names, shapes, roles and numbers of values.
///
/// # Errors
/// [`InputError::ForeignState`] otherwise.
pub fn check_state(specs: &[ParamSpec], state: &State) -> Result<(), EngineError> {
    let same = |(a, b): (&ParamSpec, &ParamSpec)| {
        a.name == b.name && a.shape == b.shape && a.role == b.role && a.offset == b.offset
    };
    let total = |trainable| -> usize {
        specs.iter().filter(|s| s.role.trainable() == trainable).map(ParamSpec::len).sum()
    };
    let fits = specs.len() == state.specs.len()
        && specs.iter().zip(&state.specs).all(same)
        && state.values.len() == total(true)
        && state.statistics.len() == total(false);
    if fits { Ok(()) } else { Err(InputError::ForeignState.into()) }
}

/// Checks that a flat gradient has one value for each of so many trainable ones.
///
/// # Errors
/// [`InputError::ForeignState`] otherwise.
pub fn check_flat_gradient(trainable: usize, gradient: &[f32]) -> Result<(), EngineError> {
    if gradient.len() == trainable { Ok(()) } else { Err(InputError::ForeignState.into()) }
}

/// Checks an optimizer's memory for a network of so many trainable values.
///
/// # Errors
/// [`InputError::ForeignOptimizerState`] if it is not of this optimizer and number of values.
pub fn check_optimizer_state(
    optimizer: Optimizer,
    trainable: usize,
    state: &OptimizerState,
) -> Result<(), EngineError> {
    let fits = state.slots.len() == optimizer.slots() && state.slots.iter().all(|s| s.len() == trainable);
    if fits { Ok(()) } else { Err(InputError::ForeignOptimizerState.into()) }
}

/// Checks that there is one factor of the learning rate for each parameter.
///
/// # Errors
/// [`InputError::RateFactors`] otherwise.
pub fn check_rate_factors(factors: &[f32], parameters: usize) -> Result<(), EngineError> {
    if factors.len() == parameters {
        return Ok(());
    }
    Err(InputError::RateFactors { factors: factors.len(), parameters }.into())
}

/// Checks that there is a gradient of the right shape for each output.
///
/// # Errors
/// [`InputError::Gradients`] otherwise.
pub fn check_gradients(gradients: &[Tensor], outputs: &[Shape]) -> Result<(), EngineError> {
    gradients.iter().try_for_each(check_input)?;
    if gradients.iter().map(|gradient| gradient.shape).eq(outputs.iter().copied()) {
        return Ok(());
    }
    let gradients = gradients.iter().map(|gradient| gradient.shape).collect();
    Err(InputError::Gradients { gradients, outputs: outputs.to_vec() }.into())
}

/// The factor of a gradient of this norm that clips it to the norm `clip`, as PyTorch's `clip_grad_norm_` has it; 1
/// without a limit.
pub fn clip_factor(norm: f64, clip: Option<f32>) -> f64 {
    clip.map_or(1.0, |clip| (f64::from(clip) / (norm + 1e-6)).min(1.0))
}
