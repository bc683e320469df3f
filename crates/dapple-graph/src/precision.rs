//! The numbers that an engine computes with.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Number format of convolutions and attention. Parameters, their gradients, normalizations, losses and the
/// optimizer are single precision always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    Fp32,
    /// The exponents of single precision with 8 bits of mantissa.
    Bf16,
    /// Half precision; gradients are scaled so that small ones are not lost (Micikevicius et al. 2018, section 3.2).
    Fp16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fp32, Self::Bf16, Self::Fp16];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|precision| precision.name() == text);
        named.ok_or_else(|| "give fp32, bf16 or fp16".into())
    }
}
