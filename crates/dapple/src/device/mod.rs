//! The choice of an engine at run time; the only module that knows which engines are built in.
//!
//! Each engine is a `Backend` in its own file.

mod cpu;
mod gpu;
mod torch;

use dapple_base::{InputFault, nearest};
use dapple_graph::{Engine, EngineError, Precision};
use serde::Serialize;

/// Options of an engine. An option that the engine does not support is an error and never ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads of the host; all physical cores if `None`.
    pub threads: Option<usize>,
    /// Memory limit in bytes, see [`dapple_cpu::CpuEngine::with_memory_limit`].
    pub memory_limit: Option<usize>,
    /// Precision of convolutions and attention.
    pub precision: Precision,
}

impl EngineOptions {
    /// This number of threads, everything else by default.
    pub fn threads(threads: Option<usize>) -> Self {
        Self { threads, ..Self::default() }
    }
}

/// A device: present, missing, or of an engine that is not built in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// Name for `--device`.
    pub name: String,
    /// Cargo feature of its engine; `None` for the engine that is always built in.
    pub feature: Option<&'static str>,
    /// Whether the engine is built in.
    pub built_in: bool,
    /// Whether the device is present.
    pub present: bool,
    /// Name of the card or the processor.
    pub card: Option<String>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// For a missing device, what was searched for; for a present one, a remark.
    pub note: Option<String>,
    /// Rank for `auto`, which takes the highest; `None` for a device for comparisons only.
    #[serde(skip)]
    pub rank: Option<u8>,
}

/// An engine.
trait Backend {
    /// Its cargo feature; `None` for the engine that is always built in.
    fn feature(&self) -> Option<&'static str>;

    /// Whether it is built in.
    fn built_in(&self) -> bool;

    /// Names of its devices for messages; `N` stands for a number.
    fn names(&self) -> &'static [&'static str];

    /// Its devices: those present and, for the reader, those searched for in vain.
    fn devices(&self) -> Vec<DeviceInfo>;

    /// The engine on a device with one of its names. Called only if it is built in.
    fn engine(&self, device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError>;

    /// Whether a name is that of one of its devices.
    fn answers(&self, device: &str) -> bool {
        self.names().iter().any(|name| match name.strip_suffix('N') {
            Some(stem) => device.strip_prefix(stem).is_some_and(|number| number.parse::<usize>().is_ok()),
            None => *name == device,
        })
    }
}

/// All engines, in the order of lists.
const BACKENDS: [&dyn Backend; 3] = [&cpu::Cpu, &torch::Torch, &gpu::Gpu];

/// An unusable device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No engine has a device of that name.
    #[error(
        "there is no device `{name}`{}; names are {}, and auto for the fastest one available; `dapple devices` lists them",
        nearest(name, all_names()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(),
        all_names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// The requested name.
        name: String,
    },
    /// The engine is not built in.
    #[error(
        "device `{name}` needs the cargo feature `{feature}`, which this program was built without; built in: {}. Build it \
         with: cargo install --path crates/dapple --features {feature} (README, \"Graphics cards\")",
        built_in().join(", ")
    )]
    NotBuiltIn {
        /// The requested name.
        name: String,
        /// The missing feature.
        feature: &'static str,
    },
    /// The engine is built in, the device is missing.
    #[error("device `{name}` is not available: {looked_for}")]
    Absent {
        /// The requested name.
        name: String,
        /// What was searched for, and what to do.
        looked_for: String,
    },
    /// The engine does not support an option.
    #[error("device `{name}` {cannot}")]
    Unsupported {
        /// The device.
        name: String,
        /// What it does not support, and what to do.
        cannot: String,
    },
    /// The engine failed to start.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl InputFault for DeviceError {
    /// Always: another device or other options would do.
    fn is_input_fault(&self) -> bool {
        true
    }
}

/// A device, and the reason for its choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
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
pub fn choose(device: &str) -> Choice {
    if device != "auto" {
        return Choice { device: device.to_owned(), why: None };
    }
    if BACKENDS.into_iter().filter(|backend| backend.built_in()).count() == 1 {
        return Choice { device: "cpu".to_owned(), why: None };
    }
    best(&devices())
}

/// The present device of the highest rank, the first one among equals.
fn best(devices: &[DeviceInfo]) -> Choice {
    let present = devices.iter().filter(|device| device.present);
    let ranked = present.filter_map(|device| Some((device.rank?, device)));
    // `max_by_key` would give the last one among equals.
    let best = ranked.reduce(|best, other| if other.0 > best.0 { other } else { best });
    let Some((_, best)) = best.filter(|(_, best)| best.name != "cpu") else {
        // Missing devices, and software renderers.
        let others =
            devices.iter().filter(|device| device.built_in && (device.rank.is_none() || !device.present));
        let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        return Choice {
            device: "cpu".to_owned(),
            why: Some(format!("none of the other built-in engines has a card here ({})", others.join(", "))),
        };
    };
    let card = best.card.as_deref().unwrap_or("a card");
    Choice { device: best.name.clone(), why: Some(format!("{card}, the fastest one available")) }
}

/// The engine on a device; `auto` is the fastest one available.
///
/// # Errors
/// [`DeviceError`], whose messages say which devices there are and how to get others.
pub fn engine(device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError> {
    let device = choose(device).device;
    let Some(backend) = BACKENDS.into_iter().find(|backend| backend.answers(&device)) else {
        return Err(DeviceError::Unknown { name: device });
    };
    match backend.feature() {
        Some(feature) if !backend.built_in() => Err(DeviceError::NotBuiltIn { name: device, feature }),
        _ => backend.engine(&device, options),
    }
}

/// The entry of an engine that is not built in.
fn not_built_in(name: &str, feature: &'static str) -> DeviceInfo {
    DeviceInfo {
        name: name.to_owned(),
        feature: Some(feature),
        built_in: false,
        present: false,
        card: None,
        memory: None,
        note: Some(format!("cargo install --path crates/dapple --features {feature}")),
        rank: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
