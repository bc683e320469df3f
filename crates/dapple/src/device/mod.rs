//! The choice of an engine at run time; the only module that knows which engines are built in.
//!
//! Each engine is a `Backend` in its own file.

mod backend;
mod cpu;
mod gpu;
mod torch;

use dapple_base::nearest;
use dapple_graph::Engine;

pub use backend::{DeviceError, DeviceInfo, EngineOptions};
pub use cpu::cpu_engine;

use backend::Backend;

/// All engines, in the order of lists.
const BACKENDS: [&dyn Backend; 3] = [&cpu::Cpu, &torch::Torch, &gpu::Gpu];

/// A device, and the reason for its choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenDevice {
    /// Name for `--device`.
    pub device: String,
    /// The reason, if there was a choice: for `auto` in a program with several engines.
    pub why: Option<String>,
}

fn all_names() -> impl Iterator<Item = &'static str> {
    BACKENDS.into_iter().flat_map(|backend| backend.names().iter().copied())
}

fn built_in() -> Vec<&'static str> {
    let backends = BACKENDS.into_iter().filter(|backend| backend.built_in());
    backends.flat_map(|backend| backend.names().iter().copied()).collect()
}

/// All present devices, those searched for in vain, and the engines that are not built in.
pub fn devices() -> Vec<DeviceInfo> {
    BACKENDS.into_iter().flat_map(|backend| backend.devices()).collect()
}

/// The device that a name stands for: itself, or for `auto` the fastest one available.
pub fn choose(device: &str) -> ChosenDevice {
    if device != "auto" {
        return ChosenDevice { device: device.to_owned(), why: None };
    }
    if BACKENDS.into_iter().filter(|backend| backend.built_in()).count() == 1 {
        return ChosenDevice { device: "cpu".to_owned(), why: None };
    }
    best(&devices())
}

/// The present device of the highest rank, the first one among equals.
fn best(devices: &[DeviceInfo]) -> ChosenDevice {
    let present = devices.iter().filter(|device| device.present);
    let ranked = present.filter_map(|device| Some((device.rank?, device)));
    // `max_by_key` would give the last one among equals.
    let best = ranked.reduce(|best, other| if other.0 > best.0 { other } else { best });
    let Some((_, best)) = best.filter(|(_, best)| best.name != "cpu") else {
        // Missing devices, and software renderers.
        let others =
            devices.iter().filter(|device| device.built_in && (device.rank.is_none() || !device.present));
        let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        return ChosenDevice {
            device: "cpu".to_owned(),
            why: Some(format!("none of the other built-in engines has a card here ({})", others.join(", "))),
        };
    };
    let card = best.card.as_deref().unwrap_or("a card");
    ChosenDevice { device: best.name.clone(), why: Some(format!("{card}, the fastest one available")) }
}

/// The engine on a device; `auto` is the fastest one available.
///
/// # Errors
/// [`DeviceError`], whose messages say which devices there are and how to get others.
pub fn engine(device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
    let device = choose(device).device;
    let Some(backend) = BACKENDS.into_iter().find(|backend| backend.answers(&device)) else {
        let (near, names) = (nearest(&device, all_names()), all_names().collect());
        return Err(DeviceError::Unknown { name: device, near, names });
    };
    match backend.feature() {
        Some(feature) if !backend.built_in() => {
            Err(DeviceError::NotBuiltIn { name: device, feature, built_in: built_in() })
        }
        _ => backend.engine(&device, options),
    }
}

#[cfg(test)]
mod tests {
    use super::backend::not_built_in;
    use super::*;
    use dapple_graph::Precision;

    fn card(name: &str, rank: Option<u8>, present: bool) -> DeviceInfo {
        let card = Some(format!("card of {name}"));
        DeviceInfo { built_in: true, present, card, rank, ..not_built_in(name, "some") }
    }

    #[test]
    fn the_fastest_that_is_there_is_taken() {
        let cpu = || card("cpu", Some(0), true);
        let all =
            [cpu(), card("torch-cpu", None, true), card("a:0", Some(2), true), card("a:1", Some(2), true)];
        let choice = best(&all);
        assert_eq!(choice.device, "a:0");
        assert!(choice.why.is_some_and(|why| why.contains("card of a:0")));
        assert_eq!(best(&[cpu(), card("b", Some(1), true), card("a:0", Some(2), false)]).device, "b");
        let none = best(&[cpu(), card("torch-cpu", None, true), card("a:0", Some(2), false)]);
        assert_eq!(none.device, "cpu");
        assert!(none.why.is_some_and(|why| why.contains("(torch-cpu, a:0)")));
    }

    #[test]
    fn every_name_belongs_to_one_engine() {
        let names = ["cpu", "cuda", "cuda:3", "torch-cpu", "gpu", "gpu:1", "vulkan", "metal", "dx12"];
        for name in names {
            let answers = BACKENDS.into_iter().filter(|backend| backend.answers(name)).count();
            assert_eq!(answers, 1, "{name}");
        }
        for name in ["", "auto", "cuda:", "cuda:x", "cpu:0", "gpu:-1"] {
            assert!(!BACKENDS.into_iter().any(|backend| backend.answers(name)), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let message = |name: &str, options| engine(name, &options).err().map(|error| error.to_string());
        let unknown = message("cudda", EngineOptions::default()).expect("there is no such device");
        assert!(unknown.contains("did you mean `cuda`?") && unknown.contains("vulkan"), "{unknown}");
        assert_eq!(message("cpu", EngineOptions::threads(Some(1))), None);
        let options = EngineOptions { precision: Precision::Bf16, ..EngineOptions::default() };
        let refused = message("cpu", options).expect("the processor's engine has one precision");
        assert!(refused.contains("bf16") && refused.contains("fp32"), "{refused}");
    }
}
