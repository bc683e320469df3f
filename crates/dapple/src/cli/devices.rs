//! `dapple devices`: the devices for `--device`.

use clap::Args;
use dapple::device::{self, DeviceInfo};

use super::common::json::print_json;
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple devices
  dapple devices --json

Cargo features build engines in: torch (libtorch: CUDA cards) and gpu (Vulkan, Metal, DirectX 12).")]
pub struct Devices {
    /// Print a JSON list
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Devices) -> Result<(), Failure> {
    let devices = device::devices();
    if arguments.json {
        return print_json(&devices);
    }
    let yes = |is: bool| if is { "yes" } else { "no" };
    say!("{:12} {:8} {:8} {:>10}  card", "device", "built in", "present", "memory");
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
        say!("{}", line.trim_end());
    }
    let choice = device::choose("auto");
    say!(
        "\nauto takes {}: {}",
        choice.device,
        choice.why.as_deref().unwrap_or("no other engine is built in")
    );
    Ok(())
}

/// The card's name and a note about it.
fn about(device: &DeviceInfo) -> String {
    let parts = [device.card.as_deref(), device.note.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
