//! libtorch: CUDA cards and, for comparisons, the CPU. The cargo feature `torch`.

use super::backend::{Backend, DeviceError, DeviceInfo, EngineOptions};
use dapple_graph::Engine;

const FEATURE: &str = "torch";

pub(super) struct Torch;

impl Backend for Torch {
    fn feature(&self) -> Option<&'static str> {
        Some(FEATURE)
    }

    fn built_in(&self) -> bool {
        cfg!(feature = "torch")
    }

    fn names(&self) -> &'static [&'static str] {
        &["cuda", "cuda:N", "torch-cpu"]
    }

    fn devices(&self) -> Vec<DeviceInfo> {
        devices()
    }

    fn engine(&self, device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
        engine(device, options)
    }
}

#[cfg(not(feature = "torch"))]
fn devices() -> Vec<DeviceInfo> {
    vec![super::backend::not_built_in("cuda", FEATURE)]
}

#[cfg(not(feature = "torch"))]
fn engine(device: &str, _: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
    Err(DeviceError::NotBuiltIn { name: device.to_owned(), feature: FEATURE, built_in: vec!["cpu"] })
}

/// The rank of a CUDA card for `auto`: above all others.
#[cfg(feature = "torch")]
const CUDA_RANK: u8 = 20;

#[cfg(feature = "torch")]
fn devices() -> Vec<DeviceInfo> {
    let info = |name: String| DeviceInfo {
        name,
        feature: Some(FEATURE),
        built_in: true,
        present: true,
        card: None,
        memory: None,
        note: None,
        rank: None,
    };
    let card = |card: dapple_torch::Card| DeviceInfo {
        card: card.name,
        memory: card.memory,
        rank: Some(CUDA_RANK),
        ..info(format!("cuda:{}", card.index))
    };
    let mut devices: Vec<DeviceInfo> = dapple_torch::cards().into_iter().map(card).collect();
    if devices.is_empty() {
        let note = Some(dapple_torch::missing());
        devices.push(DeviceInfo { present: false, note, ..info("cuda".to_owned()) });
    }
    devices.push(DeviceInfo {
        card: dapple_base::machine::processor(),
        memory: dapple_base::machine::memory(),
        note: Some("libtorch on the CPU, for comparisons".to_owned()),
        ..info("torch-cpu".to_owned())
    });
    devices
}

#[cfg(feature = "torch")]
fn engine(device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
    use dapple_torch::TorchEngine;

    if options.memory_limit.is_some() {
        let cannot = "does not support a memory limit; leave it out, or use a smaller batch".to_owned();
        return Err(DeviceError::Unsupported { name: device.to_owned(), cannot });
    }
    let engine = match device.strip_prefix("cuda") {
        Some(number) => {
            let index = number.strip_prefix(':').map_or(Some(0), |number| number.parse().ok());
            let absent = |looked_for| DeviceError::Absent { name: device.to_owned(), looked_for };
            let count = dapple_torch::count();
            match index.filter(|index| *index < count) {
                Some(index) => TorchEngine::cuda(index)?,
                None if count == 0 => return Err(absent(dapple_torch::missing())),
                None => return Err(absent(format!("the cards are cuda:0 to cuda:{}", count - 1))),
            }
        }
        None => TorchEngine::cpu(),
    };
    Ok(Box::new(engine.with_threads(options.threads).with_precision(options.precision)))
}
