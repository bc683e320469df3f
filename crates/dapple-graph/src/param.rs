//! Named parameters and their initial values.

use serde::{Deserialize, Serialize};

/// Index of a parameter in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub usize);

/// Use of a parameter; it decides which buffer holds it and whether weight decay applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Weight of a convolution `[out, in / groups, kh, kw]`.
    ConvWeight,
    /// Weight of a transposed convolution `[in, out, kh, kw]`.
    ConvTransposeWeight,
    /// Bias `[channels]`.
    Bias,
    /// Scale of a normalization `[channels]`.
    NormScale,
    /// Shift of a normalization `[channels]`.
    NormShift,
    /// Factor of each channel `[channels, 1, 1]` ([`crate::Op::Scale`]).
    Factor,
    /// Running mean `[channels]`, not trained.
    RunningMean,
    /// Running variance `[channels]`, not trained.
    RunningVar,
}

impl Role {
    /// Whether gradients reach it.
    pub fn trainable(self) -> bool {
        !matches!(self, Role::RunningMean | Role::RunningVar)
    }

    /// Whether it is the weights of a layer, which are nearly all values of a network; the others have one value a channel.
    pub fn is_weight(self) -> bool {
        matches!(self, Role::ConvWeight | Role::ConvTransposeWeight)
    }

    /// Whether weight decay applies under [`crate::Decay::Weights`].
    pub fn decays(self) -> bool {
        self.is_weight()
    }
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Init {
    /// One value everywhere.
    Constant(f32),
    /// Uniform in `[-bound, bound]`.
    Uniform {
        /// Largest magnitude.
        bound: f32,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f32,
    },
    /// The weight `[in, out, k, k]` of a transposed convolution of stride `ceil(k / 2)` that interpolates bilinearly:
    /// each output channel from the input channel of its number (Long et al. 2015, section 3.3).
    Bilinear,
}

impl Init {
    /// He et al. 2015 ("MSRA"): normal with variance `2 / fan`.
    pub fn he_normal(fan: usize) -> Self {
        Init::Normal { std: (2.0 / fan.max(1) as f32).sqrt() }
    }

    /// PyTorch's default for convolutions: uniform within `1 / sqrt(fan_in)`.
    pub fn torch_default(fan_in: usize) -> Self {
        Init::Uniform { bound: 1.0 / (fan_in.max(1) as f32).sqrt() }
    }
}

/// One named parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// Name, equal to the key of the published checkpoint where there is one.
    pub name: String,
    /// Shape in PyTorch's order.
    pub shape: Vec<usize>,
    /// Its use.
    pub role: Role,
    /// Initial values.
    pub init: Init,
    /// First value in the flat buffer of trainable values or, by role, of running statistics.
    pub offset: usize,
}

impl ParamSpec {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether some extent is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
