//! The CPU, which is always available.

use super::backend::{Backend, DeviceError, DeviceInfo, EngineOptions};
use dapple_base::machine;
use dapple_cpu::CpuEngine;
use dapple_graph::{Engine, Precision};

pub(super) struct Cpu;

impl Backend for Cpu {
    fn feature(&self) -> Option<&'static str> {
        None
    }

    fn built_in(&self) -> bool {
        true
    }

    fn names(&self) -> &'static [&'static str] {
        &["cpu"]
    }

    fn devices(&self) -> Vec<DeviceInfo> {
        vec![DeviceInfo {
            name: "cpu".to_owned(),
            feature: None,
            built_in: true,
            present: true,
            card: machine::processor(),
            memory: machine::memory(),
            note: None,
            rank: Some(0),
        }]
    }

    fn engine(&self, device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
        if options.precision != Precision::Fp32 {
            let cannot =
                format!("computes in fp32 only, not in {}; leave the precision out", options.precision);
            return Err(DeviceError::Unsupported { name: device.to_owned(), cannot });
        }
        Ok(Box::new(CpuEngine::new(options.threads)?.with_memory_limit(options.memory_limit)))
    }
}
