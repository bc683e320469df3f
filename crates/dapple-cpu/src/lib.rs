//! The CPU engine of dapple: plans a graph once for a shape and runs it forward and backward in fp32 on all cores.
//! The convolutions of a quantized network compute in integers of eight bits.
//!
//! ```
//! use dapple_cpu::CpuEngine;
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
//! let engine = CpuEngine::new(None)?;
//! let mut executor = engine.load(Arc::new(network), &state)?;
//! let logits = executor.infer(&Tensor::zeros(shape), Inference::Predict)?;
//! assert_eq!(logits[0].shape, Shape::new(1, 8, 8, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! An engine has a pool of its own, by default of as many threads as there are physical cores, within what affinity
//! and control groups allow; its threads sleep while there is nothing to do. Called on a thread of a rayon pool of as
//! many threads (inside `install`, say), it works there instead; [`CpuEngine::in_pool`] shares a pool explicitly. An
//! engine made inside a pool takes its number of threads. Any number of engines can live side by side.
//!
//! Results are the same bits whatever the number of threads: work is cut into tasks that depend on shapes alone,
//! and partial sums are added in the order of the tasks.
//!
//! # Inside
//!
//! A graph is compiled once for each input shape, in passes that `compile/passes.rs` lists, into a plan: a list of steps on
//! places in one arena, pure data. The executor runs it. A step is a kernel, one family a file in `kernels/`, which says
//! itself how it runs, which scratch memory it needs and what it reads and writes; kernels are written once over sixteen
//! lanes (`simd/`). A new operation with one input is a kernel file and an arm in `compile/forward/lower.rs`; its
//! gradient is named by the kernel.

mod busy;
mod compile;
mod engine;
mod executor;
mod joint;
#[allow(unsafe_code)]
mod kernels;
mod layout;
#[allow(unsafe_code)]
mod memory;
mod parallel;
mod plan;
mod pool;
mod settings;
#[allow(unsafe_code)]
mod simd;

pub use engine::CpuEngine;
pub use executor::{Busy, Profile, StepTime};
pub use memory::ExplainingAllocator;
pub use pool::cores;
pub use settings::{Convolution, TrainingMemory};
pub use simd::Level;
