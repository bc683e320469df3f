//! A slow, obvious `f64` interpreter of a [`dapple_graph::Graph`], forward and backward: the oracle that every
//! engine's tests compare with.
//!
//! Each operation is written as nested loops straight from its definition, one file a family; nothing is
//! fused, skipped or reordered. [`forward`] computes all nodes, [`backward`] the gradients, [`loss`] the
//! losses, [`Stepper`] the optimizers' updates. [`random`] makes networks and values to compare on,
//! [`equivalence`] compares any engine.
//!
//! Everything here is for tests: arguments that do not fit their graph panic.
//!
//! ```
//! use dapple_graph::{LossKind, Loss, Mode, State};
//! use dapple_reference::{State64, Tensor64, backward, forward, loss, random};
//! let network = random::labelled_network(7);
//! let state = State64::from(&random::state(&network.graph, 7));
//! let shape = network.graph.shape(network.graph.input());
//! let input = Tensor64::from(&random::tensor(shape, 7));
//! let trace = forward(&network.graph, &state, &input, Mode::Train);
//! let labels = random::labels(shape.pixels(), 2, None, 7);
//! let (value, gradients) = loss(&trace.outputs(), &labels, &Loss::single(LossKind::Dice))?;
//! let gradients = backward(&network.graph, &state, &trace, &gradients);
//! assert!(value > 0.0);
//! assert_eq!(gradients.values.len(), state.values.len());
//! # Ok::<(), dapple_graph::LossError>(())
//! ```

mod backward;
mod draw;
pub mod equivalence;
mod forward;
mod loss;
mod ops;
mod optim;
pub mod random;
mod replay;
mod state;
mod tensor;
mod trace;

pub use backward::{Gradients, backward};
pub use forward::{forward, forward_quantized, forward_with};
pub use loss::loss;
pub use optim::Stepper;
pub use state::State64;
pub use tensor::{Tensor64, relative_distance};
pub use trace::Trace;
