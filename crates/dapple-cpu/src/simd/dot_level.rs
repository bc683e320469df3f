//! Instruction sets for products of small integers, a finer division of [`Level`].

use super::level::Level;

/// How products of small integers are added up; the sums are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DotLevel {
    /// AVX-512 VNNI: four products at a time.
    #[cfg(target_arch = "x86_64")]
    Bytes512,
    /// AVX-512 BW: two products at a time, of integers widened to 16 bits.
    #[cfg(target_arch = "x86_64")]
    Words512,
    /// AVX-VNNI: four products at a time.
    #[cfg(target_arch = "x86_64")]
    Bytes256,
    /// AVX2: two products at a time, of integers widened to 16 bits. Its products of bytes would saturate.
    #[cfg(target_arch = "x86_64")]
    Words256,
    /// The target's baseline.
    Portable,
}

impl DotLevel {
    /// All that this machine has within a level, the fastest first.
    pub fn available(level: Level) -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let found = match level {
            Level::Avx512 if is_x86_feature_detected!("avx512vnni") => vec![Self::Bytes512, Self::Words512],
            Level::Avx512 => vec![Self::Words512],
            Level::Avx2 if is_x86_feature_detected!("avxvnni") => vec![Self::Bytes256, Self::Words256],
            Level::Avx2 => vec![Self::Words256],
            Level::Portable => vec![Self::Portable],
        };
        #[cfg(not(target_arch = "x86_64"))]
        let found = match level {
            Level::Portable => vec![Self::Portable],
        };
        found
    }

    /// The fastest one of this machine within a level.
    pub fn of(level: Level) -> Self {
        Self::available(level)[0]
    }

    /// Products in a word of four bytes: of four integers of 8 bits, or of two of 16.
    pub fn products(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Bytes512 | Self::Bytes256 => 4,
            #[cfg(target_arch = "x86_64")]
            Self::Words512 | Self::Words256 => 2,
            Self::Portable => 2,
        }
    }
}
