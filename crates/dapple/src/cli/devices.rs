//! The engine that a command runs on; `dapple devices`: those that there are.

use clap::Args;
use dapple::device::{self, DeviceInfo, EngineOptions};
use dapple::graph::Engine;
use dapple::train::TrainConfig;
use dapple_base::ByteSize;

use super::arguments::Device;
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple devices
  dapple devices --json

Engines are built in by cargo features: torch (libtorch: CUDA cards) and gpu (Vulkan, Metal, DirectX 12).")]
pub struct Devices {
    /// As a JSON list
    #[arg(long)]
    pub json: bool,
}

impl Device {
    /// The engine that the flags ask for, the fastest one if they name none.
    pub fn engine(&self, quiet: bool) -> Result<Box<dyn Engine>, Failure> {
        let precision = self.precision.unwrap_or_default();
        let options = EngineOptions { precision, ..EngineOptions::threads(self.threads) };
        start(self.device.as_deref().unwrap_or("auto"), &options, quiet)
    }

    /// The engine for a training with these settings, above which the flags stand.
    pub fn engine_for(
        &self,
        config: &TrainConfig,
        memory_limit: Option<ByteSize>,
        quiet: bool,
    ) -> Result<Box<dyn Engine>, Failure> {
        let of_config = options(config);
        let options = EngineOptions {
            threads: self.threads.or(of_config.threads),
            memory_limit: memory_limit.map(|size| size.0).or(of_config.memory_limit),
            precision: self.precision.unwrap_or(of_config.precision),
        };
        start(self.device.as_deref().unwrap_or(&config.device), &options, quiet)
    }
}

/// What a training's settings tell its engine.
pub fn options(config: &TrainConfig) -> EngineOptions {
    EngineOptions {
        threads: config.threads,
        memory_limit: config.memory_limit.map(|size| size.0),
        precision: config.precision,
    }
}

/// Starts an engine; says which one `auto` took, and why, where there was a choice.
fn start(name: &str, options: &EngineOptions, quiet: bool) -> Result<Box<dyn Engine>, Failure> {
    let choice = device::choose(name);
    if let Some(why) = choice.why.filter(|_| !quiet) {
        // Standard output may be a picture or JSON.
        eprintln!("device {}: {why}", choice.device);
    }
    Ok(device::engine(&choice.device, options)?)
}

pub fn run(arguments: &Devices) -> Result<(), Failure> {
    let devices = device::devices();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&devices).expect("names, sizes and words"));
        return Ok(());
    }
    let yes = |is: bool| if is { "yes" } else { "no" };
    println!("{:12} {:8} {:8} {:>10}  card", "device", "built in", "present", "memory");
    for device in &devices {
        let memory = device.memory.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)));
        let line = format!(
            "{:12} {:8} {:8} {:>10}  {}",
            device.name,
            yes(device.built_in),
            if device.built_in { yes(device.present) } else { "" },
            memory.unwrap_or_default(),
            about(device)
        );
        println!("{}", line.trim_end());
    }
    let choice = device::choose("auto");
    println!(
        "\nauto takes {}: {}",
        choice.device,
        choice.why.as_deref().unwrap_or("no other engine is built in")
    );
    Ok(())
}

/// The card's name and what is to be said of it.
fn about(device: &DeviceInfo) -> String {
    let parts = [device.card.as_deref(), device.note.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
