//! This machine's processor as an engine.

use crate::executor::{CpuExecutor, StepTime};
use crate::pool::Pool;
use crate::simd::Level;
use dapple_graph::{Engine, EngineError, Executor, Mode, Network, Optimizer, Shape, State, Tensor};
use std::sync::Arc;

/// This machine's processor.
#[derive(Clone)]
pub struct CpuEngine {
    pub(crate) pool: Pool,
    pub(crate) level: Level,
    pub(crate) settings: Settings,
}

/// What an engine's plans are made by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bytes that an executor may take.
    pub memory_limit: Option<usize>,
    pub convolution: Convolution,
}

/// How 3 x 3 convolutions of stride 1 are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convolution {
    /// By Winograd's algorithm, with a quarter of the multiplications; errors of about 2e-6 of the largest value.
    #[default]
    Winograd,
    /// As matrix products, as all others: errors of about 1e-6, to compare with.
    Plain,
}

/// Bytes of memory that a training takes, what is kept between passes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingMemory {
    /// With the engine's limit, or without one where it has none.
    pub planned: usize,
    /// The least that a limit can ask for.
    pub smallest: usize,
}

impl CpuEngine {
    /// An engine with a pool of that many threads, by default as the [crate] says, and the best instructions there are
    /// (`DAPPLE_SIMD` forces others). `DAPPLE_CONV` (`winograd` or `plain`) stands for
    /// [`CpuEngine::with_convolution`].
    ///
    /// # Errors
    /// If threads cannot be started, `DAPPLE_SIMD` names instructions that are not there, or `DAPPLE_CONV` something
    /// else.
    pub fn new(threads: Option<usize>) -> Result<Self, EngineError> {
        Self::with_level(threads, Level::detect().map_err(EngineError::Input)?)
    }

    /// An engine with chosen instructions.
    ///
    /// # Errors
    /// If threads cannot be started or the machine does not have the instructions; `DAPPLE_CONV` as in
    /// [`CpuEngine::new`].
    pub fn with_level(threads: Option<usize>, level: Level) -> Result<Self, EngineError> {
        if !Level::available().contains(&level) {
            return Err(EngineError::Input(format!("this machine does not have {}", level.name())));
        }
        let settings = Settings { memory_limit: None, convolution: Convolution::from_environment()? };
        Ok(Self { pool: Pool::new(threads)?, level, settings })
    }

    /// An engine that works on the threads of a rayon pool that others use too.
    ///
    /// # Errors
    /// As [`CpuEngine::new`], but for the threads.
    pub fn in_pool(pool: Arc<rayon::ThreadPool>) -> Result<Self, EngineError> {
        let settings = Settings { memory_limit: None, convolution: Convolution::from_environment()? };
        let level = Level::detect().map_err(EngineError::Input)?;
        Ok(Self { pool: Pool::shared(pool), level, settings })
    }

    /// Limits the bytes of an executor's maps, scratch memory, parameters, gradients and optimiser's memory. Where a
    /// training would need more, maps are computed again in the backward pass instead of being kept: that takes time,
    /// at most that of another forward pass, and gives the same bits. What does not fit even so is an error that names
    /// the smallest limit. `None`: no limit but the machine's memory, within which everything is kept.
    pub fn with_memory_limit(mut self, bytes: Option<usize>) -> Self {
        self.settings.memory_limit = bytes;
        self
    }

    /// Chooses how 3 x 3 convolutions of stride 1 are computed.
    pub fn with_convolution(mut self, convolution: Convolution) -> Self {
        self.settings.convolution = convolution;
        self
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.pool.threads()
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
        let mut executor = CpuExecutor::new(self, network, state, None, true, input.shape)?;
        executor.forward(input, Mode::Train)?;
        executor.backward(output_gradients)?;
        let gradient = executor.input_gradient(input.shape).unwrap_or_else(|| Tensor::zeros(input.shape));
        Ok((gradient, executor.gradients()))
    }

    /// Seconds of each step of a pass over an input: forward, and in [`Mode::Train`] backward.
    ///
    /// # Errors
    /// If the network cannot be built for the input.
    pub fn profile(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        input: &Tensor,
        mode: Mode,
    ) -> Result<Vec<StepTime>, EngineError> {
        CpuExecutor::new(self, network, state, None, false, input.shape)?.profile(input, mode)
    }

    /// What a training of batches of this shape takes.
    ///
    /// # Errors
    /// If the network cannot be built for the shape.
    pub fn training_memory(
        &self,
        network: Arc<dyn Network>,
        optimizer: Option<Optimizer>,
        batch: Shape,
    ) -> Result<TrainingMemory, EngineError> {
        let state = State::init(&network.build(batch)?, 0);
        let executor = CpuExecutor::new(self, network, &state, optimizer, false, batch)?;
        executor.training_memory(batch)
    }
}

impl Convolution {
    fn from_environment() -> Result<Self, EngineError> {
        match std::env::var("DAPPLE_CONV").as_deref() {
            Err(_) | Ok("winograd") => Ok(Self::Winograd),
            Ok("plain") => Ok(Self::Plain),
            Ok(other) => Err(EngineError::Input(format!("DAPPLE_CONV={other}: it can be winograd or plain"))),
        }
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
        Ok(Box::new(CpuExecutor::new(self, network, state, optimizer, false, sample)?))
    }
}
