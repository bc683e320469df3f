//! Choosing an engine at run time: the one place that knows which are built in.
//!
//! Each engine that the binary may have is a `Backend` in a file of its own.

mod cpu;
mod gpu;
mod torch;

use dapple_base::nearest;
use dapple_graph::{Engine, EngineError, Precision};
use serde::Serialize;

/// What an engine is told. What it cannot do is an error, never left out in silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads of the host; all physical cores if left out.
    pub threads: Option<usize>,
    /// Bytes of memory, as [`dapple_cpu::CpuEngine::with_memory_limit`] keeps to.
    pub memory_limit: Option<usize>,
    /// What convolutions are computed in.
    pub precision: Precision,
}

impl EngineOptions {
    /// So many threads, and nothing else.
    pub fn threads(threads: Option<usize>) -> Self {
        Self { threads, ..Self::default() }
    }
}

/// A device that there is, or that there could be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// As `--device` takes it.
    pub name: String,
    /// Cargo feature that builds its engine in; `None` for the one that always is.
    pub feature: Option<&'static str>,
    /// Whether the engine is built in.
    pub built_in: bool,
    /// Whether it can run here.
    pub present: bool,
    /// The card or the processor.
    pub card: Option<String>,
    /// Its memory in bytes.
    pub memory: Option<u64>,
    /// What was looked for, where it is not present; what to know of it, where it is.
    pub note: Option<String>,
    /// Its rank for `auto`, which takes the highest; `None` for one that is for comparing only.
    #[serde(skip)]
    pub rank: Option<u8>,
}

/// An engine that the binary may have.
trait Backend {
    /// The cargo feature that builds it in; `None` for the one that always is.
    fn feature(&self) -> Option<&'static str>;

    /// Whether it is built in.
    fn built_in(&self) -> bool;

    /// Its devices' names for messages, `N` standing for a number.
    fn names(&self) -> &'static [&'static str];

    /// Its devices: those that are there and, for the reader, those that were looked for in vain.
    fn devices(&self) -> Vec<DeviceInfo>;

    /// The engine on a device of one of its names. Called only if it is built in.
    fn engine(&self, device: &str, options: &EngineOptions) -> Result<Box<dyn Engine>, DeviceError>;

    /// Whether a name is one of its devices'.
    fn answers(&self, device: &str) -> bool {
        self.names().iter().any(|name| match name.strip_suffix('N') {
            Some(stem) => device.strip_prefix(stem).is_some_and(|number| number.parse::<usize>().is_ok()),
            None => *name == device,
        })
    }
}

/// All engines, in the order of lists.
const BACKENDS: [&dyn Backend; 3] = [&cpu::Cpu, &torch::Torch, &gpu::Gpu];

/// A device that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No engine has a device of that name.
    #[error(
        "there is no device `{name}`{}; there are {} (and auto, the fastest that is there); `dapple devices` tells more",
        nearest(name, all_names()).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(),
        all_names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// The engine is not built in.
    #[error(
        "device `{name}` needs the cargo feature `{feature}`, which this program was built without; built in: {}. Build it \
         with: cargo install --path crates/dapple --features {feature} (README, \"Graphics cards\")",
        built_in().join(", ")
    )]
    NotBuiltIn {
        /// The name that was asked for.
        name: String,
        /// The feature that it needs.
        feature: &'static str,
    },
    /// The engine is built in, the device is not there.
    #[error("device `{name}` is not there: {looked_for}")]
    Absent {
        /// The name that was asked for.
        name: String,
        /// What was looked for, and what to do.
        looked_for: String,
    },
    /// The engine cannot do what was asked of it.
    #[error("device `{name}` {cannot}")]
    Unsupported {
        /// The device.
        name: String,
        /// What it cannot do, and what to do.
        cannot: String,
    },
    /// The engine failed to start.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A device, and why it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As `--device` takes it.
    pub device: String,
    /// The reason, where there was something to choose: `auto` in a program with several engines.
    pub why: Option<String>,
}

fn all_names() -> impl Iterator<Item = &'static str> {
    BACKENDS.into_iter().flat_map(|backend| backend.names().iter().copied())
}

fn built_in() -> Vec<&'static str> {
    let backends = BACKENDS.into_iter().filter(|backend| backend.built_in());
    backends.flat_map(|backend| backend.names().iter().copied()).collect()
}

/// All devices that are there, those that were looked for in vain, and the engines that are not built in.
pub fn devices() -> Vec<DeviceInfo> {
    BACKENDS.into_iter().flat_map(|backend| backend.devices()).collect()
}

/// The device that a name means: itself, or for `auto` the fastest that is built in and there.
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
        // Looked for in vain, or programs that stand for cards.
        let others =
            devices.iter().filter(|device| device.built_in && (device.rank.is_none() || !device.present));
        let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        return Choice {
            device: "cpu".to_owned(),
            why: Some(format!(
                "of the other engines that are built in, none has a card here ({})",
                others.join(", ")
            )),
        };
    };
    let card = best.card.as_deref().unwrap_or("a card");
    Choice { device: best.name.clone(), why: Some(format!("{card}, the fastest that is built in and there")) }
}

/// The engine on a device; `auto` is the fastest one that is built in and there.
///
/// # Errors
/// [`DeviceError`], whose messages say what there is and how to get what is not.
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

/// One line for an engine that is not built in.
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
