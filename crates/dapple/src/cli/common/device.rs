//! `--device`, `--precision` and `--threads`, and the engine they select.

use clap::Args;
use dapple::device::{self, EngineOptions};
use dapple::graph::{Engine, Precision};
use dapple::train::TrainConfig;
use dapple_base::ByteSize;

use super::values::threads;
use crate::cli::failure::Failure;
use crate::environment;

/// The heading of flags about the machine.
pub const MACHINE: &str = "Machine";

/// The device that runs the network.
#[derive(Clone, Debug, Args)]
pub struct Device {
    /// Device: cpu, cuda:0 … (`dapple devices` lists them), or auto for the fastest one available [default: auto]
    #[arg(long, value_name = "NAME", help_heading = MACHINE)]
    pub device: Option<String>,
    /// Precision of convolutions and attention: fp32, bf16 or fp16; the CPU engine has fp32 only [default: fp32]
    #[arg(long, value_name = "NAME", help_heading = MACHINE)]
    pub precision: Option<Precision>,
    /// Threads of the engine; they do not affect the results [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = MACHINE)]
    pub threads: Option<usize>,
}

impl Device {
    /// The engine that the flags select; without `--device`, the fastest one.
    pub fn engine(&self, quiet: bool) -> Result<Box<dyn Engine>, Failure> {
        let precision = self.precision.unwrap_or_default();
        let options = EngineOptions { precision, threads: self.threads, ..environment::engine_options()? };
        start(self.device.as_deref().unwrap_or("auto"), &options, quiet)
    }

    /// The engine for a training with these settings, which the flags override.
    pub fn engine_for(
        &self,
        config: &TrainConfig,
        memory_limit: Option<ByteSize>,
        quiet: bool,
    ) -> Result<Box<dyn Engine>, Failure> {
        let of_config = engine_options(config)?;
        let options = EngineOptions {
            threads: self.threads.or(of_config.threads),
            memory_limit: memory_limit.map(|size| size.0).or(of_config.memory_limit),
            precision: self.precision.unwrap_or(of_config.precision),
            ..of_config
        };
        start(self.device.as_deref().unwrap_or(&config.device), &options, quiet)
    }
}

/// The engine's options in a training's settings and in the environment.
pub fn engine_options(config: &TrainConfig) -> Result<EngineOptions, Failure> {
    Ok(EngineOptions {
        threads: config.threads,
        memory_limit: config.memory_limit.map(|size| size.0),
        precision: config.precision,
        ..environment::engine_options()?
    })
}

/// Starts an engine. Where `auto` had a choice, prints the device and the reason.
fn start(name: &str, options: &EngineOptions, quiet: bool) -> Result<Box<dyn Engine>, Failure> {
    let choice = device::choose(name);
    if let Some(why) = choice.why.filter(|_| !quiet) {
        // Standard output may be a picture or JSON.
        note!("device {}: {why}", choice.device);
    }
    Ok(device::engine(&choice.device, options)?)
}
