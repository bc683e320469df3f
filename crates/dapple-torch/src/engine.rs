//! libtorch on one device.

use crate::cards::{count, missing, name};
use crate::executor::{TorchExecutor, TorchTrainer};
use dapple_graph::engine::check_trainable;
use dapple_graph::{Engine, EngineError, Executor, Network, Optimizer, Precision, State, Trainer};
use std::sync::Arc;
use tch::{Cuda, Device};

/// libtorch on a CUDA card or on the CPU.
#[derive(Clone, Debug)]
pub struct TorchEngine {
    device: Device,
    precision: Precision,
}

impl TorchEngine {
    /// The card of that number.
    ///
    /// # Errors
    /// If libtorch finds no such card.
    pub fn cuda(index: usize) -> Result<Self, EngineError> {
        let count = count();
        if index >= count {
            let why = match count {
                0 => missing(),
                count => format!("there are {count} cards, from cuda:0 to cuda:{}", count - 1),
            };
            return Err(EngineError::Device { device: format!("cuda:{index}"), why });
        }
        // Shapes stay the same over a training, so that trying algorithms for them pays.
        Cuda::cudnn_set_benchmark(true);
        Ok(Self { device: Device::Cuda(index), precision: Precision::Fp32 })
    }

    /// The CPU, to compare with.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu, precision: Precision::Fp32 }
    }

    /// Threads on the host, for all engines of this process: libtorch has one pool. All cores unless this is called.
    pub fn with_threads(self, threads: Option<usize>) -> Self {
        if let Some(threads) = threads {
            tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(i32::MAX));
        }
        self
    }

    /// Sets the number format of convolutions and attention.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }
}

impl Engine for TorchEngine {
    fn device(&self) -> String {
        name(self.device)
    }

    fn load(&self, network: Arc<dyn Network>, state: &State) -> Result<Box<dyn Executor>, EngineError> {
        Ok(Box::new(TorchExecutor::new(self.device, self.precision, network, state)?))
    }

    fn load_trainer(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Optimizer,
    ) -> Result<Box<dyn Trainer>, EngineError> {
        check_trainable(network.as_ref())?;
        let executor = TorchExecutor::new(self.device, self.precision, network, state)?;
        Ok(Box::new(TorchTrainer::around(executor, optimizer)?))
    }
}
