//! Instruction sets, chosen at run time.

use dapple_graph::InputError;
use std::str::FromStr;

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// AVX-512 F, VL, DQ and BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The target's baseline.
    Portable,
}

impl Level {
    /// All levels that this machine has, the fastest first.
    pub fn available() -> Vec<Level> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
            {
                levels.push(Level::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
            }
        }
        levels.push(Level::Portable);
        levels
    }

    /// The fastest level of this machine.
    pub fn detect() -> Level {
        Self::available()[0]
    }

    /// Its name: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            Level::Portable => "portable",
        }
    }
}

impl FromStr for Level {
    type Err = InputError;

    /// A level of this machine by its name.
    fn from_str(name: &str) -> Result<Self, InputError> {
        let available = Self::available();
        available.iter().copied().find(|level| level.name() == name).ok_or_else(|| {
            let names: Vec<&str> = available.iter().map(|level| level.name()).collect();
            InputError::Setting(format!(
                "`{name}` is not an instruction set of this machine; it has {}",
                names.join(", ")
            ))
        })
    }
}
