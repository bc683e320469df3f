//! An engine as the choice of devices sees it: its devices, its options, its errors.

use dapple_base::InputFault;
use dapple_cpu::{Convolution, Level};
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
    /// Instruction set of the CPU engine, the fastest one if `None`; other engines have no such choice.
    pub simd: Option<Level>,
    /// Algorithm of the CPU engine's 3 x 3 convolutions; other engines have no such choice.
    pub convolution: Convolution,
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
pub(super) trait Backend {
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

/// An unusable device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No engine has a device of that name.
    #[error(
        "there is no device `{name}`{}; names are {}, and auto for the fastest one available; `dapple devices` lists them",
        near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(),
        names.join(", ")
    )]
    Unknown {
        /// The requested name.
        name: String,
        /// The nearest known name, if one is near.
        near: Option<&'static str>,
        /// All names.
        names: Vec<&'static str>,
    },
    /// The engine is not built in.
    #[error(
        "device `{name}` needs the cargo feature `{feature}`, which this program was built without; built in: {}. Build it \
         with: cargo install --path crates/dapple --features {feature} (the guide, \"Graphics cards\")",
        built_in.join(", ")
    )]
    NotBuiltIn {
        /// The requested name.
        name: String,
        /// The missing feature.
        feature: &'static str,
        /// Names of the devices whose engines are built in.
        built_in: Vec<&'static str>,
    },
    /// The engine is built in, the device is missing.
    #[error("device `{name}` is not available: {looked_for}")]
    Absent {
        /// The requested name.
        name: String,
        /// The devices searched for, and the way out.
        looked_for: String,
    },
    /// The engine does not support an option.
    #[error("device `{name}` {cannot}")]
    Unsupported {
        /// The device.
        name: String,
        /// The unsupported option, and the way out.
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

/// The entry of an engine that is not built in.
pub(super) fn not_built_in(name: &str, feature: &'static str) -> DeviceInfo {
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
