//! The interface of the engines that run a graph, and their common parts.
//!
//! [`Engine::load`] gives an [`Executor`], which runs a network; [`Engine::load_trainer`] a [`Trainer`], which is an executor
//! that also learns. Engines share their checks of arguments ([`check_input`] and its neighbours) and the cache of their plans
//! ([`PlanCache`]).

mod checks;
mod error;
mod fault;
mod interface;
mod joint;
mod mode;
mod optimizer_state;
mod plan_cache;
mod tensor;

pub use checks::{
    build, check_flat_gradient, check_gradients, check_input, check_optimizer_state, check_rate_factors,
    check_state, check_trainable, clip_factor,
};
pub use error::{EngineError, InputError};
pub use fault::{Fault, FaultKind};
pub use interface::{Engine, Executor, Trainer};
pub use joint::Joint;
pub use mode::{Inference, Mode};
pub use optimizer_state::OptimizerState;
pub use plan_cache::PlanCache;
pub use tensor::Tensor;
