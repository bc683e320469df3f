//! Cards of any maker over Vulkan, Metal and DirectX 12: the cargo feature `gpu`.

use super::{Backend, DeviceError, DeviceInfo, EngineOptions, not_built_in};
use dapple_graph::Engine;

const FEATURE: &str = "gpu";

pub(super) struct Gpu;

impl Backend for Gpu {
    fn feature(&self) -> Option<&'static str> {
        Some(FEATURE)
    }

    fn built_in(&self) -> bool {
        false
    }

    fn names(&self) -> &'static [&'static str] {
        &["gpu", "gpu:N", "vulkan", "metal", "dx12"]
    }

    fn devices(&self) -> Vec<DeviceInfo> {
        vec![not_built_in("gpu", FEATURE)]
    }

    fn engine(&self, device: &str, _: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
        Err(DeviceError::NotBuiltIn { name: device.to_owned(), feature: FEATURE })
    }
}
