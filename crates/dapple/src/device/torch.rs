//! libtorch: CUDA cards and, to compare with, the processor. The cargo feature `torch`.

use super::{Backend, DeviceError, DeviceInfo, EngineOptions, not_built_in};
use dapple_graph::Engine;

const FEATURE: &str = "torch";

pub(super) struct Torch;

impl Backend for Torch {
    fn feature(&self) -> Option<&'static str> {
        Some(FEATURE)
    }

    fn built_in(&self) -> bool {
        false
    }

    fn names(&self) -> &'static [&'static str] {
        &["cuda", "cuda:N", "torch-cpu"]
    }

    fn devices(&self) -> Vec<DeviceInfo> {
        vec![not_built_in("cuda", FEATURE)]
    }

    fn engine(&self, device: &str, _: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
        Err(DeviceError::NotBuiltIn { name: device.to_owned(), feature: FEATURE })
    }
}
