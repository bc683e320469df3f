//! This machine's processor as an engine.

use crate::executor::{CpuExecutor, CpuTrainer, Profile, training_memory};
use crate::pool::Pool;
use crate::settings::{Convolution, Resources, Settings, TrainingMemory};
use crate::simd::Level;
use dapple_graph::engine::check_trainable;
use dapple_graph::{
    Decay, Engine, EngineError, Executor, Inference, InputError, Mode, Network, Optimizer, Shape, State,
    Tensor, Trainer,
};
use std::sync::Arc;

/// This machine's processor.
#[derive(Clone)]
pub struct CpuEngine {
    resources: Resources,
}

/// The optimizer of trainers that only compute gradients: the one with the least memory.
const NEVER_STEPPED: Optimizer =
    Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0, decay: Decay::All };

impl CpuEngine {
    /// An engine with a pool of that many threads, by default as the [crate] says, and the fastest instructions of this
    /// machine.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn new(threads: Option<usize>) -> Result<Self, EngineError> {
        Self::with_level(threads, Level::detect())
    }

    /// An engine with chosen instructions.
    ///
    /// # Errors
    /// If threads cannot be started or the machine does not have the instructions.
    pub fn with_level(threads: Option<usize>, level: Level) -> Result<Self, EngineError> {
        if !Level::available().contains(&level) {
            return Err(InputError::Setting(format!("this machine does not have {}", level.name())).into());
        }
        Ok(Self { resources: Resources { pool: Pool::new(threads)?, level, settings: Settings::default() } })
    }

    /// An engine that works on the threads of a rayon pool that others use too.
    pub fn in_pool(pool: Arc<rayon::ThreadPool>) -> Self {
        let settings = Settings::default();
        Self { resources: Resources { pool: Pool::shared(pool), level: Level::detect(), settings } }
    }

    /// Limits the bytes of an executor's feature maps, scratch memory, parameters, gradients and optimizer's memory. Where a
    /// training would need more, maps are computed again in the backward pass instead of being kept: that takes time,
    /// at most that of another forward pass, and gives the same bits. What does not fit even so is an error that names
    /// the smallest limit. `None`: no limit but the machine's memory, within which everything is kept.
    pub fn with_memory_limit(mut self, bytes: Option<usize>) -> Self {
        self.resources.settings.memory_limit = bytes;
        self
    }

    /// Chooses how 3 x 3 convolutions of stride 1 are computed.
    pub fn with_convolution(mut self, convolution: Convolution) -> Self {
        self.resources.settings.convolution = convolution;
        self
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.resources.pool.threads()
    }

    /// Instructions in use.
    pub fn level(&self) -> Level {
        self.resources.level
    }

    /// The gradient of `output_gradients` with respect to the input and to the parameters (laid out like
    /// [`State::values`]) in training mode: for saliency maps, and for testing.
    ///
    /// # Errors
    /// If the network cannot be built for the input or is quantized, or a shape does not fit.
    pub fn gradients(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        input: &Tensor,
        output_gradients: &[Tensor],
    ) -> Result<(Tensor, Vec<f32>), EngineError> {
        check_trainable(network.as_ref())?;
        let executor = CpuExecutor::for_input(&self.resources, network, state, input.shape)?;
        let mut trainer = CpuTrainer::around(executor, NEVER_STEPPED).with_input_gradient();
        trainer.forward(input)?;
        trainer.backward(output_gradients)?;
        let gradient = trainer.input_gradient(input.shape).unwrap_or_else(|| Tensor::zeros(input.shape));
        Ok((gradient, trainer.gradients()))
    }

    /// Passes over an input step by step, after one that is not counted: forward, and in [`Mode::Train`] backward.
    ///
    /// # Errors
    /// If the network cannot be built for the input.
    pub fn profile(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        input: &Tensor,
        mode: Mode,
        passes: usize,
    ) -> Result<Profile, EngineError> {
        if mode == Mode::Train {
            check_trainable(network.as_ref())?;
        }
        let mut executor = CpuExecutor::for_input(&self.resources, network, state, input.shape)?;
        let inference = match mode {
            Mode::Train => return CpuTrainer::around(executor, NEVER_STEPPED).profile(input, passes),
            Mode::Eval => Inference::Eval,
            Mode::Predict => Inference::Predict,
            Mode::Sample => Inference::Sample,
        };
        executor.profile(input, inference, passes)
    }

    /// The memory that a training with batches of this shape takes.
    ///
    /// # Errors
    /// If the network cannot be built for the shape.
    pub fn training_memory(
        &self,
        network: &Arc<dyn Network>,
        optimizer: Optimizer,
        batch: Shape,
    ) -> Result<TrainingMemory, EngineError> {
        check_trainable(network.as_ref())?;
        training_memory(&self.resources, network.as_ref(), optimizer, batch)
    }
}

impl Engine for CpuEngine {
    fn device(&self) -> String {
        "cpu".into()
    }

    fn load(&self, network: Arc<dyn Network>, state: &State) -> Result<Box<dyn Executor>, EngineError> {
        Ok(Box::new(CpuExecutor::new(&self.resources, network, state)?))
    }

    fn load_trainer(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Optimizer,
    ) -> Result<Box<dyn Trainer>, EngineError> {
        check_trainable(network.as_ref())?;
        Ok(Box::new(CpuTrainer::new(&self.resources, network, state, optimizer)?))
    }
}
