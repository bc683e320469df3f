//! A graphics card as an engine.

use crate::adapter::{self, Adapter};
use crate::executor::GpuExecutor;
use crate::guard;
use burn_tensor::Device;
use dapple_graph::{Engine, EngineError, Executor, Network, Optimizer, State, Tensor};
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
    /// The adapter of that name: `gpu` for the best of all, or the best behind one interface (`vulkan`, `metal`,
    /// `dx12`), each with an optional `:N` for the others.
    ///
    /// # Errors
    /// If there is none, or it does not start.
    pub fn open(device: &str) -> Result<Self, EngineError> {
        let adapter = guard::run(device, || adapter::find(device))?;
        // A panic while the lock was held has left a list that is whole.
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = opened.iter().find(|(name, _)| *name == adapter.name).map(|(_, device)| device.clone());
        let handle = match known {
            Some(handle) => handle,
            None => {
                let options =
                    Device::wgpu_options().device_kind(adapter.kind.clone()).graphics_api(adapter.interface);
                let refused = |why: String| EngineError::Device { device: device.into(), why };
                let handle =
                    guard::run(device, || options.init().map_err(|error| refused(error.to_string())))?;
                opened.push((adapter.name.clone(), handle.clone()));
                handle
            }
        };
        Ok(Self { device: handle, name: adapter.name.clone(), adapter })
    }

    /// What it runs on.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The gradient of `output_gradients` with respect to the input and to the parameters (laid out like
    /// [`State::values`]) in training mode: for saliency maps, and for testing.
    ///
    /// # Errors
    /// If the network cannot be built for the input, a shape does not fit, or the device fails.
    pub fn gradients(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        input: &Tensor,
        output_gradients: &[Tensor],
    ) -> Result<(Tensor, Vec<f32>), EngineError> {
        GpuExecutor::new(self, network, state, None)?.input_gradient(input, output_gradients)
    }
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
