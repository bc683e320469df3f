//! The engine of dapple for graphics cards: graphs run on [Burn](https://burn.dev) over wgpu (Vulkan, Metal, DX12), with
//! its kernel fusion, its autotuning and its automatic differentiation.
//!
//! Without the feature `wgpu` the crate is empty. `adapters` lists what there is, `GpuEngine::open` opens one by name.
//!
#![cfg_attr(feature = "wgpu", doc = "```no_run")]
#![cfg_attr(not(feature = "wgpu"), doc = "```ignore")]
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
//! let engine = dapple_gpu::GpuEngine::open("gpu")?;
//! let mut executor = engine.load(Arc::new(network), &state)?;
//! let logits = executor.infer(&Tensor::zeros(shape), Inference::Predict)?;
//! assert_eq!(logits[0].shape, Shape::new(1, 8, 8, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a graph is run
//!
//! `pass` walks over the nodes in order; each family of operations has a module under `ops`. Maps are tensors
//! `[n, h, w, c]`, as at the interface: Burn's kernels compute channels-last, so that the transpositions around them cost
//! nothing. Trainable values, gradients and the optimizer's memory are one flat tensor each on the card; a pass cuts the
//! parameters out of it. Losses are tensor operations too; what needs an order or distances is decided on the host
//! (`loss`).
//!
//! # What is not taken from Burn
//!
//! Where an operation of Burn 0.22 is missing, inexact or has no gradient, it is composed of others:
//!
//! - Batch, layer and group norm: means and centred squares, so that the running variance is unbiased and sums are short.
//! - Biases of convolutions are added by themselves: their gradients are then summed axis by axis, in the place of one sum over all
//!   pixels of a transposed copy.
//! - Bilinear sampling has no gradient on cards; all sampling and average pooling is two matrix products, one an axis
//!   (`ops/linear.rs`), which is exact for every size, alignment and window.
//! - Unpooling: the value of each window spread over it, kept where the maximum stood (`ops/pool.rs`).
//! - Dropout's masks are drawn on the host, since its numbers take 64-bit integers.
//! - Muon, Lion and the others: `optim`, on the flat tensors.
//!
//! # Shaders
//!
//! Kernels are compiled to WGSL, which wgpu checks and translates for each interface. Burn can also write SPIR-V for Vulkan
//! by itself (feature `vulkan` of `burn-tensor`): Mesa 22.3's llvmpipe, Debian 12's, crashes on that; SwiftShader runs it.
//!
//! # Errors
//!
//! Burn panics where a kernel cannot be compiled or memory is out; that is caught and comes back as
//! `dapple_graph::EngineError::Device`. Methods of the interface that cannot fail (giving the
//! state, say) give values that are not numbers when the device has been lost, which no checkpoint takes.
#![cfg(feature = "wgpu")]

mod adapter;
mod card;
mod engine;
mod executor;
mod flat;
mod guard;
mod loss;
mod ops;
mod optim;
mod pass;

pub use adapter::{Adapter, AdapterError, adapters};
pub use engine::GpuEngine;
