//! How convolutions start.

use crate::Init;

/// Initial values of the convolutions that are added to a graph from now on. Fans count a kernel's taps times the
/// weight's input axis (`fan_in`) or output channels (`fan_out`), as PyTorch does; biases start at zero unless it says
/// otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ConvInit {
    /// He et al. 2015: normal with variance `2 / fan_in`.
    #[default]
    HeFanIn,
    /// He et al. 2015: normal with variance `2 / fan_out`, which keeps the size of gradients.
    HeFanOut,
    /// He et al. 2015: uniform with variance `2 / fan_in`.
    HeUniform,
    /// Glorot and Bengio 2010: uniform with variance `2 / (fan_in + fan_out)`.
    Glorot,
    /// Normal with this standard deviation.
    Normal(f32),
    /// Transposed convolutions interpolate bilinearly, each channel by itself (Long et al. 2015).
    Bilinear,
    /// PyTorch's default: weights and biases uniform within `1 / sqrt(fan_in)`.
    Torch,
}

impl ConvInit {
    pub(crate) fn weight(self, fan_in: usize, fan_out: usize) -> Init {
        let bound = |variance: f32| Init::Uniform { bound: (3.0 * variance).sqrt() };
        match self {
            Self::HeFanIn => Init::he_normal(fan_in),
            Self::HeFanOut => Init::he_normal(fan_out),
            Self::HeUniform => bound(2.0 / fan_in.max(1) as f32),
            Self::Glorot => bound(2.0 / (fan_in + fan_out).max(1) as f32),
            Self::Normal(std) => Init::Normal { std },
            Self::Bilinear => Init::Bilinear,
            Self::Torch => Init::torch_default(fan_in),
        }
    }

    pub(crate) fn bias(self, fan_in: usize) -> Init {
        match self {
            Self::Torch => Init::torch_default(fan_in),
            _ => Init::Constant(0.0),
        }
    }
}
