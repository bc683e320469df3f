//! libtorch as an engine: CUDA cards and, to compare with, the CPU.
//!
//! A thin adapter: a graph's nodes are walked in their order, each is a call or a few of libtorch (`ops`), losses are
//! calls too (`loss`), gradients come from libtorch's autograd, and the optimizers work on flat buffers (`rules`).
//! Maps are channels-last, as everywhere in dapple: a batch goes to the card as it is and is read with turned strides,
//! which libtorch takes for its channels-last format.
//!
//! Built with the feature `libtorch` only; without it the crate is empty. The README says how to build it with the
//! PyTorch that pip installs.
//!
#![cfg_attr(feature = "libtorch", doc = "```no_run")]
#![cfg_attr(not(feature = "libtorch"), doc = "```ignore")]
//! use dapple_graph::{Conv2d, Engine, Graph, GraphError, Inference, Network, Shape, State, Tensor};
//! use std::sync::Arc;
//!
//! let shape = Shape::new(1, 8, 8, 3);
//! let network = (shape, |input: Shape| -> Result<Graph, GraphError> {
//!     let mut g = Graph::new(input);
//!     let y = g.conv2d("conv", g.input(), &Conv2d::new(2, 3).padding(1))?;
//!     g.output("logits", y)?;
//!     Ok(g)
//! });
//! let state = State::init(&network.build(shape)?, 0);
//! let engine = dapple_torch::TorchEngine::cuda(0)?;
//! let mut executor = engine.load(Arc::new(network), &state)?;
//! let logits = executor.infer(&Tensor::zeros(shape), Inference::Predict)?;
//! assert_eq!(logits[0].shape, Shape::new(1, 8, 8, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features of libtorch that this crate does not use, because tch does not reach them:
//!
//! - Streams: a batch is copied to the card when its turn comes, not ahead on a stream beside the kernels'.
//! - Several cards: gradients cannot be added up between cards without passing through the host, as they do where several
//!   processes train together over MPI, each on a card of its own; batch norms then see a part of the batch each.
//! - The autocast of PyTorch, whose number format tch cannot set. `dapple_graph::Precision` is done here
//!   instead, by casts around convolutions and attention, the same on cards and on the CPU.
//! - TF32, which libtorch uses in convolutions of cards unless told otherwise, can only be switched off from outside of the
//!   process: the variable `NVIDIA_TF32_OVERRIDE=0`, with which the `dapple` program starts itself.

#![cfg(feature = "libtorch")]

mod cards;
mod engine;
mod executor;
mod failure;
mod folded;
mod loss;
mod muon;
mod ops;
mod params;
mod pass;
mod plan;
mod rates;
mod rules;
mod scaling;
mod transfer;

pub use cards::{Card, cards, count, missing};
pub use engine::TorchEngine;
