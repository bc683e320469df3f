//! A graphics card as an engine.

use crate::adapter::{Adapter, AdapterError};
use crate::card::Card;
use crate::executor::{GpuExecutor, GpuTrainer};
use crate::guard;
use burn_cubecl::cubecl::config::autotune::AutotuneLevel;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn_tensor::Device;
use dapple_graph::engine::check_trainable;
use dapple_graph::{Engine, EngineError, Executor, Network, Optimizer, State, Trainer};
use std::sync::{Arc, Mutex, PoisonError};

/// The devices that this process has opened, by the names of their adapters. The library opens each once.
static OPENED: Mutex<Vec<(String, Device)>> = Mutex::new(Vec::new());

/// A graphics card, or a software renderer.
#[derive(Clone)]
pub struct GpuEngine {
    card: Card,
}

impl GpuEngine {
    /// The adapter of that name ([`Adapter::find`]).
    ///
    /// # Errors
    /// If there is none, or it does not start.
    pub fn open(device: &str) -> Result<Self, EngineError> {
        let refused =
            |error: AdapterError| EngineError::Device { device: device.into(), why: error.to_string() };
        Self::new(&guard::run(device, || Adapter::find(device).map_err(refused))?)
    }

    /// An engine on an adapter.
    ///
    /// # Errors
    /// If it does not start.
    pub fn new(adapter: &Adapter) -> Result<Self, EngineError> {
        let name = &adapter.name;
        // A panic while the lock was held has left a list that is whole.
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = opened.iter().find(|(opened, _)| opened == name).map(|(_, device)| device.clone());
        let device = match known {
            Some(device) => device,
            None => {
                if adapter.software {
                    tune_little();
                }
                let options =
                    Device::wgpu_options().device_kind(adapter.kind.clone()).graphics_api(adapter.interface);
                let refused = |why: String| EngineError::Device { device: name.clone(), why };
                let device = guard::run(name, || options.init().map_err(|error| refused(error.to_string())))?;
                opened.push((name.clone(), device.clone()));
                device
            }
        };
        Ok(Self { card: Card { device, name: name.clone(), adapter: adapter.clone() } })
    }

    /// The adapter that it runs on.
    pub fn adapter(&self) -> &Adapter {
        &self.card.adapter
    }
}

/// Lets Burn measure each kernel once: a software renderer takes longer to compile and run all candidates than the best one
/// saves.
fn tune_little() {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.autotune.level = AutotuneLevel::Minimal;
    (config.autotune.bench.min_samples, config.autotune.bench.max_samples) = (1, 1);
    config.autotune.bench.short_circuit_samples = 1;
    // Where something has been run already, its settings stay.
    CubeClRuntimeConfig::try_set(config);
}

impl Engine for GpuEngine {
    fn device(&self) -> String {
        self.card.name.clone()
    }

    fn load(&self, network: Arc<dyn Network>, state: &State) -> Result<Box<dyn Executor>, EngineError> {
        Ok(Box::new(GpuExecutor::new(&self.card, network, state)?))
    }

    fn load_trainer(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Optimizer,
    ) -> Result<Box<dyn Trainer>, EngineError> {
        check_trainable(network.as_ref())?;
        let executor = GpuExecutor::new(&self.card, network, state)?;
        Ok(Box::new(GpuTrainer::around(executor, optimizer)?))
    }
}
