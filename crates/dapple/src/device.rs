//! Choosing an engine at run time: the one place that knows which are built in.

use dapple_cpu::CpuEngine;
use dapple_graph::{Engine, EngineError};
use dapple_nets::nearest;

/// The engines that are built in, as `--device` takes them.
pub const DEVICES: &[&str] = &["cpu"];

/// A device that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No engine of that name is built in.
    #[error(
        "there is no device `{name}`{}; built in: {} (and auto, the fastest of them)",
        nearest(name, DEVICES.iter().copied()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(),
        DEVICES.join(", ")
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// The engine is built in but cannot run here.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The engine of that name; `auto` is the fastest one built in. `threads` limits the CPU engine's threads, all physical
/// cores otherwise.
///
/// # Errors
/// [`DeviceError::Unknown`], whose message lists the engines, and [`DeviceError::Engine`] from the engine itself.
pub fn engine(device: &str, threads: Option<usize>) -> Result<Box<dyn Engine>, DeviceError> {
    engine_within(device, threads, None)
}

/// As [`engine`], with a limit to its memory in bytes ([`CpuEngine::with_memory_limit`]).
///
/// # Errors
/// As [`engine`].
pub fn engine_within(
    device: &str,
    threads: Option<usize>,
    memory_limit: Option<usize>,
) -> Result<Box<dyn Engine>, DeviceError> {
    match device {
        "cpu" | "auto" => Ok(Box::new(CpuEngine::new(threads)?.with_memory_limit(memory_limit))),
        _ => Err(DeviceError::Unknown { name: device.to_owned() }),
    }
}
