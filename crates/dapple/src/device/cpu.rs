//! The CPU, which is always available.

use super::backend::{Backend, DeviceError, DeviceInfo, EngineOptions};
use dapple_base::machine;
use dapple_cpu::{CpuEngine, Level};
use dapple_graph::{Engine, EngineError, Precision};

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
        Ok(Box::new(cpu_engine(options)?))
    }
}

/// The CPU engine itself, for measurements that only it has; the precision is left out.
///
/// # Errors
/// If threads cannot be started or the instruction set is not there.
pub fn cpu_engine(options: &EngineOptions) -> Result<CpuEngine, EngineError> {
    let level = options.simd.unwrap_or_else(Level::detect);
    let engine = CpuEngine::with_level(options.threads, level)?;
    Ok(engine.with_memory_limit(options.memory_limit).with_convolution(options.convolution))
}
