//! The cards of this machine.

use std::path::Path;
use std::process::Command;
use tch::{Cuda, Device};

/// A CUDA card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its number, as in `cuda:1`.
    pub index: usize,
    /// Its name, if `nvidia-smi` reports it and it is clear which card is meant.
    pub name: Option<String>,
    /// Its memory in bytes, likewise.
    pub memory: Option<u64>,
}

/// How many cards libtorch can use.
pub fn count() -> usize {
    usize::try_from(Cuda::device_count()).unwrap_or(0)
}

/// The cards that libtorch can use.
pub fn cards() -> Vec<Card> {
    let count = count();
    if count == 0 {
        return Vec::new();
    }
    let told = told(&queried().unwrap_or_default(), count);
    let card = |index| {
        let (name, memory) = told.clone().map_or((None, None), |(name, memory)| (Some(name), Some(memory)));
        Card { index, name, memory }
    };
    (0..count).map(card).collect()
}

/// The reason why there is no card, and the way out.
pub fn missing() -> String {
    if !tch::utils::has_cudart() {
        return "this libtorch has no CUDA; build with the PyTorch that pip installs for CUDA".to_owned();
    }
    if !Path::new("/proc/driver/nvidia/version").exists() {
        return "there is no NVIDIA driver (/proc/driver/nvidia/version)".to_owned();
    }
    "libtorch finds no such card; `nvidia-smi` tells which there are and whether the driver is new enough, and \
     CUDA_VISIBLE_DEVICES may hide some"
        .to_owned()
}

/// The output of NVIDIA's tool, a line a card.
fn queried() -> Option<String> {
    let query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
    let output = Command::new("nvidia-smi").args(query).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Name and bytes of every card, where all are alike: the tool counts them in another order than CUDA does, and also those
/// that `CUDA_VISIBLE_DEVICES` hides.
fn told(text: &str, count: usize) -> Option<(String, u64)> {
    let line = |line: &str| {
        let (name, mebibytes) = line.rsplit_once(',')?;
        Some((name.trim().to_owned(), mebibytes.trim().parse::<u64>().ok()? << 20))
    };
    let lines: Vec<_> = text.lines().map(line).collect::<Option<_>>()?;
    let first = lines.first()?;
    (lines.len() >= count && lines.iter().all(|other| other == first)).then(|| first.clone())
}

/// A device's name as `--device` takes it.
pub(crate) fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "torch-cpu".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_named_where_there_is_no_doubt() {
        let h100 = ("NVIDIA H100".to_owned(), 81_559u64 << 20);
        assert_eq!(told("NVIDIA H100, 81559\n", 1), Some(h100.clone()));
        assert_eq!(told("NVIDIA H100, 81559\nNVIDIA H100, 81559\n", 1), Some(h100));
        assert_eq!(told("NVIDIA H100, 81559\nNVIDIA L4, 23034\n", 1), None);
        assert_eq!(told("NVIDIA H100, 81559\n", 2), None);
        assert_eq!(told("", 1), None);
        assert_eq!(told("No devices were found\n", 1), None);
    }
}
