//! Cards of any maker over Vulkan, Metal and DirectX 12: the cargo feature `gpu`.

use super::backend::{Backend, DeviceError, DeviceInfo, EngineOptions};
use dapple_graph::Engine;

const FEATURE: &str = "gpu";

pub(super) struct Gpu;

impl Backend for Gpu {
    fn feature(&self) -> Option<&'static str> {
        Some(FEATURE)
    }

    fn built_in(&self) -> bool {
        cfg!(feature = "gpu")
    }

    fn names(&self) -> &'static [&'static str] {
        &["gpu", "gpu:N", "vulkan", "vulkan:N", "metal", "metal:N", "dx12", "dx12:N"]
    }

    #[cfg(not(feature = "gpu"))]
    fn devices(&self) -> Vec<DeviceInfo> {
        vec![super::backend::not_built_in("gpu", FEATURE)]
    }

    #[cfg(feature = "gpu")]
    fn devices(&self) -> Vec<DeviceInfo> {
        let info = |name: &str| DeviceInfo {
            built_in: true,
            note: None,
            ..super::backend::not_built_in(name, FEATURE)
        };
        let found = dapple_gpu::adapters();
        if found.is_empty() {
            let note = dapple_gpu::Adapter::find("gpu").err().map(|error| error.to_string());
            return vec![DeviceInfo { note, ..info("gpu") }];
        }
        let of = |adapter: dapple_gpu::Adapter| DeviceInfo {
            present: true,
            card: Some(adapter.description),
            note: adapter.software.then(|| "software renderer on the CPU, for tests".to_owned()),
            // A software renderer is slower than the CPU engine.
            rank: (!adapter.software).then_some(1),
            ..info(&adapter.name)
        };
        found.into_iter().map(of).collect()
    }

    #[cfg(not(feature = "gpu"))]
    fn engine(&self, device: &str, _: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
        Err(DeviceError::NotBuiltIn { name: device.to_owned(), feature: FEATURE, built_in: vec!["cpu"] })
    }

    #[cfg(feature = "gpu")]
    fn engine(&self, device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
        let name = || device.to_owned();
        let cannot = |cannot: String| Err(DeviceError::Unsupported { name: name(), cannot });
        if options.precision != dapple_graph::Precision::Fp32 {
            return cannot(format!(
                "computes in fp32 only, not in {}; leave the precision out",
                options.precision
            ));
        }
        if options.memory_limit.is_some() {
            return cannot("does not support a memory limit; leave it out and use a smaller batch".into());
        }
        let adapter = dapple_gpu::Adapter::find(device)
            .map_err(|error| DeviceError::Absent { name: name(), looked_for: error.to_string() })?;
        Ok(Box::new(dapple_gpu::GpuEngine::new(&adapter)?))
    }
}
