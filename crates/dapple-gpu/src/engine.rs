//! A graphics card as an engine.

use crate::adapter::Adapter;
use crate::executor::GpuExecutor;
use crate::guard;
use burn_cubecl::cubecl::config::autotune::AutotuneLevel;
use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn_tensor::Device;
use dapple_graph::{Engine, EngineError, Executor, Network, Optimizer, State};
use std::sync::{Arc, Mutex, PoisonError};

/// The devices that this process has opened, by the names of their adapters. The library opens each once.
static OPENED: Mutex<Vec<(String, Device)>> = Mutex::new(Vec::new());

/// A graphics card, or a program that stands for one.
#[derive(Clone)]
pub struct GpuEngine {
    pub(crate) device: Device,
    pub(crate) name: String,
    pub(crate) adapter: Adapter,
}

impl GpuEngine {
    /// The adapter of that name ([`Adapter::find`]).
    ///
    /// # Errors
    /// If there is none, or it does not start.
    pub fn open(device: &str) -> Result<Self, EngineError> {
        let refused = |why: String| EngineError::Device { device: device.into(), why };
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
        Ok(Self { device, name: name.clone(), adapter: adapter.clone() })
    }

    /// What it runs on.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }
}

/// Lets the library measure each kernel once. A program that stands for a card takes longer to compile and run all that
/// there is to choose from than it gains.
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
        self.name.clone()
    }

    fn load(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
    ) -> Result<Box<dyn Executor>, EngineError> {
        Ok(Box::new(GpuExecutor::new(self, network, state, optimizer)?))
    }
}
