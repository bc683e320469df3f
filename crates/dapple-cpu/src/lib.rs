//! The CPU engine of dapple: plans a graph once for a shape and runs it forward and backward in fp32 on all cores.
//!
//! ```
//! use dapple_cpu::CpuEngine;
//! use dapple_graph::{Conv2d, Engine, Graph, GraphError, Mode, Network, Shape, State, Tensor};
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
//! let mut executor = engine.load(Arc::new(network), &state, None)?;
//! let logits = executor.forward(&Tensor::zeros(shape), Mode::Predict)?;
//! assert_eq!(logits[0].shape, Shape::new(1, 8, 8, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Results are the same bits whatever the number of threads: work is cut into tasks that depend on shapes alone,
//! and partial sums are added in the order of the tasks.

mod arena;
mod backward;
mod executor;
#[allow(unsafe_code)]
mod kernels;
mod layout;
mod lower;
#[allow(unsafe_code)]
mod memory;
mod parallel;
mod plan;
#[allow(unsafe_code)]
mod simd;
mod step;

pub use executor::StepTime;
pub use simd::Level;

use dapple_graph::{Engine, EngineError, Executor, Network, Optimizer, Shape, State, Tensor};
use std::sync::Arc;

/// This machine's processor.
#[derive(Clone)]
pub struct CpuEngine {
    pool: Arc<rayon::ThreadPool>,
    level: Level,
}

impl CpuEngine {
    /// An engine with a pool of that many threads, by default as many as the machine (or its cgroup) has cores,
    /// and the best instructions there are (`DAPPLE_SIMD` forces others).
    ///
    /// # Errors
    /// If threads cannot be started, or `DAPPLE_SIMD` names instructions that are not there.
    pub fn new(threads: Option<usize>) -> Result<Self, EngineError> {
        let level = Level::detect().map_err(EngineError::Input)?;
        Self::with_level(threads, level)
    }

    /// An engine with chosen instructions.
    ///
    /// # Errors
    /// If threads cannot be started or the machine does not have the instructions.
    pub fn with_level(threads: Option<usize>, level: Level) -> Result<Self, EngineError> {
        if !Level::available().contains(&level) {
            return Err(EngineError::Input(format!("this machine does not have {}", level.name())));
        }
        let threads = match threads {
            Some(0) => return Err(EngineError::Input("the number of threads must be at least 1".into())),
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("dapple-cpu-{i}"))
            .build()
            .map_err(|e| EngineError::Device { device: "cpu".into(), why: e.to_string() })?;
        Ok(Self { pool: Arc::new(pool), level })
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Instructions in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The gradient of `output_gradients` with respect to the input and to the parameters (laid out like
    /// [`State::values`]) in training mode: for saliency maps, and for testing.
    ///
    /// # Errors
    /// If the network cannot be built for the input, or a shape does not fit.
    pub fn gradients(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        input: &Tensor,
        output_gradients: &[Tensor],
    ) -> Result<(Tensor, Vec<f32>), EngineError> {
        let mut executor = self.executor(network, state, None, true, input.shape)?;
        executor.forward(input, dapple_graph::Mode::Train)?;
        executor.backward(output_gradients)?;
        let gradient = executor.input_gradient(input.shape).unwrap_or_else(|| Tensor::zeros(input.shape));
        Ok((gradient, executor.gradients()))
    }

    /// Seconds of each step of a pass over an input: forward, and in [`Mode::Train`](dapple_graph::Mode) backward.
    ///
    /// # Errors
    /// If the network cannot be built for the input.
    pub fn profile(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        input: &Tensor,
        mode: dapple_graph::Mode,
    ) -> Result<Vec<StepTime>, EngineError> {
        self.executor(network, state, None, false, input.shape)?.profile(input, mode)
    }

    fn executor(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
        input_gradient: bool,
        sample: Shape,
    ) -> Result<executor::CpuExecutor, EngineError> {
        executor::CpuExecutor::new(
            self.pool.clone(),
            self.level,
            network,
            state,
            optimizer,
            input_gradient,
            sample,
        )
    }
}

impl Engine for CpuEngine {
    fn device(&self) -> String {
        "cpu".into()
    }

    fn load(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
    ) -> Result<Box<dyn Executor>, EngineError> {
        let sample = network.example_input();
        Ok(Box::new(self.executor(network, state, optimizer, false, sample)?))
    }
}
