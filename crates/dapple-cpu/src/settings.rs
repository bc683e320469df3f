//! Settings of an engine that its plans depend on.

use crate::pool::Pool;
use crate::simd::Level;
use dapple_graph::InputError;
use std::str::FromStr;

/// The parts of an engine that an executor needs.
#[derive(Clone)]
pub(crate) struct Resources {
    pub pool: Pool,
    pub level: Level,
    pub settings: Settings,
}

/// The settings that plans depend on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    /// Bytes that an executor may take.
    pub memory_limit: Option<usize>,
    pub convolution: Convolution,
}

/// Algorithm of 3 x 3 convolutions of stride 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convolution {
    /// Winograd's, with a quarter of the multiplications; errors of about 2e-6 of the largest value.
    #[default]
    Winograd,
    /// Matrix products, as for all others; errors of about 1e-6. To compare with.
    Plain,
}

impl FromStr for Convolution {
    type Err = InputError;

    fn from_str(name: &str) -> Result<Self, InputError> {
        match name {
            "winograd" => Ok(Self::Winograd),
            "plain" => Ok(Self::Plain),
            other => Err(InputError::Setting(format!(
                "`{other}` is not an algorithm of convolution; give winograd or plain"
            ))),
        }
    }
}

/// Bytes of memory that a training takes, including what is kept between passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingMemory {
    /// With the engine's limit, or without one where it has none.
    pub planned: usize,
    /// The smallest limit that suffices.
    pub smallest: usize,
    /// What is kept between passes: parameters, gradients and the optimizer's memory. No limit makes it smaller.
    pub kept: usize,
}
