//! A network as data: operations, shapes, parameters and the interface of the engines that run them.
//!
//! A network is a plain function that builds a [`Graph`] for one input shape. Everything else reads it:
//! engines run it forward and backward, [`summary`] counts its parameters and multiply-adds, [`fold`]
//! folds batch norm for inference. This crate does no arithmetic on activations.
//!
//! All activations are channels-last, `[batch, height, width, channels]` in `f32`. Parameters carry the
//! names and shapes of the published PyTorch checkpoints (convolution weights
//! `[out, in / groups, kernel_height, kernel_width]`).
//!
//! ```
//! use dapple_graph::{Conv2d, Graph, Shape};
//! let mut g = Graph::new(Shape::new(1, 32, 32, 3));
//! let x = g.input();
//! let y = g.conv2d("conv", x, &Conv2d::new(16, 3).padding(1).bias(false))?;
//! let y = g.batch_norm("bn", y)?;
//! let y = g.relu(y)?;
//! g.output("logits", y)?;
//! assert_eq!(g.shape(y), Shape::new(1, 32, 32, 16));
//! assert_eq!(g.trainable_len(), 3 * 16 * 9 + 32);
//! # Ok::<(), dapple_graph::GraphError>(())
//! ```

mod build;
mod conv_init;
mod distance;
pub mod dropout;
pub mod engine;
mod error;
pub mod fold;
mod graph;
mod loss;
mod loss_parts;
mod node_id;
mod ops;
mod optim;
pub mod order;
mod param;
mod precision;
mod prune;
mod quantizable;
mod quantization;
mod reshape;
mod shape;
mod sound;
mod state;
pub mod summary;
mod target;

pub use conv_init::ConvInit;
pub use distance::{signed_distance, signed_distances};
pub use dropout::DropoutState;
pub use engine::{
    Engine, EngineError, Executor, Fault, FaultKind, Inference, InputError, Joint, Mode, Tensor, Trainer,
};
pub use error::GraphError;
pub use graph::{Graph, Network, Node};
pub use loss::{Loss, LossError, LossKind, LossTerm};
pub use loss_parts::{BOUNDARY, BOUNDARY_THRESHOLD, LossPart};
pub use node_id::NodeId;
pub use ops::{AvgPool, BatchNorm, Conv2d, ConvTranspose2d, Interpolation, MaxPool, Op, Pointwise, Sizing};
pub use optim::{Decay, Optimizer};
pub use param::{Init, ParamId, ParamSpec, Role};
pub use precision::Precision;
pub use quantization::{Affine, IntegerWeights, Quantization};
pub use shape::Shape;
pub use sound::Unsound;
pub use state::{LoadReport, State, StateError};
pub use target::Target;
