//! libtorch on one device.

use crate::executor::TorchExecutor;
use crate::{count, missing};
use dapple_graph::{Engine, EngineError, Executor, Network, Optimizer, Precision, State};
use std::sync::Arc;
use tch::{Cuda, Device};

/// libtorch on a CUDA card or on the CPU.
#[derive(Clone, Debug)]
pub struct TorchEngine {
    pub(crate) device: Device,
    pub(crate) precision: Precision,
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

    /// What convolutions and attention are computed in.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }
}

/// As `--device` takes it.
pub(crate) fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "torch-cpu".to_owned(),
    }
}

impl Engine for TorchEngine {
    fn device(&self) -> String {
        name(self.device)
    }

    fn load(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
    ) -> Result<Box<dyn Executor>, EngineError> {
        Ok(Box::new(TorchExecutor::new(self, network, state, optimizer)?))
    }
}
