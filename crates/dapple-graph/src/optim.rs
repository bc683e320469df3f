//! Optimizers, in PyTorch's conventions.

use crate::{ParamSpec, Role};
use serde::{Deserialize, Serialize};

/// Which parameters weight decay applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Weights of convolutions only, not biases and normalizations.
    #[default]
    Weights,
    /// Every parameter, as PyTorch does unless told otherwise.
    All,
}

/// An optimizer with its settings; the learning rate comes with each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent: `v = momentum v + g`, `p -= lr v` (Nesterov: `p -= lr (g + momentum v)`).
    Sgd {
        /// Momentum.
        momentum: f32,
        /// Nesterov's form.
        #[serde(default)]
        nesterov: bool,
        /// Added to the gradient as `weight_decay p`.
        #[serde(default)]
        weight_decay: f32,
        /// Where it applies.
        #[serde(default)]
        decay: Decay,
    },
    /// RMSprop (Tieleman and Hinton 2012): `s = alpha s + (1 - alpha) g²`, `v = momentum v + g / (sqrt(s) + eps)`, `p -= lr v`.
    #[serde(rename = "rmsprop")]
    RmsProp {
        /// Smoothing.
        alpha: f32,
        /// Added to the root.
        eps: f32,
        /// Momentum.
        momentum: f32,
        /// Added to the gradient as `weight_decay p`.
        #[serde(default)]
        weight_decay: f32,
        /// Where it applies.
        #[serde(default)]
        decay: Decay,
    },
    /// Adam (Kingma and Ba 2015) with bias correction; decay is added to the gradient.
    Adam {
        /// Smoothing of the mean.
        beta1: f32,
        /// Smoothing of the square.
        beta2: f32,
        /// Added to the root.
        eps: f32,
        /// Added to the gradient as `weight_decay p`.
        #[serde(default)]
        weight_decay: f32,
        /// Where it applies.
        #[serde(default)]
        decay: Decay,
    },
    /// AdamW (Loshchilov and Hutter 2019): decay `p *= 1 - lr weight_decay` apart from the gradient.
    #[serde(rename = "adamw")]
    AdamW {
        /// Smoothing of the mean.
        beta1: f32,
        /// Smoothing of the square.
        beta2: f32,
        /// Added to the root.
        eps: f32,
        /// Decay.
        weight_decay: f32,
        /// Where it applies.
        #[serde(default)]
        decay: Decay,
    },
    /// Lion (Chen et al. 2023, algorithm 2): `p -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay p)`, then
    /// `m = beta2 m + (1 - beta2) g`. It needs a learning rate 3 to 10 times smaller than AdamW's, and a decay as much
    /// larger.
    Lion {
        /// The mean's share in the direction.
        beta1: f32,
        /// Smoothing of the mean.
        beta2: f32,
        /// Decay.
        weight_decay: f32,
        /// Where it applies.
        #[serde(default)]
        decay: Decay,
    },
    /// Muon (Jordan et al. 2024): the momentum of a convolution's weight, as a matrix `[out, in kh kw]`, made orthogonal
    /// by five steps of Newton and Schulz's iteration, times `0.2 sqrt(max(rows, columns))`, which gives it the size of
    /// an AdamW step (Liu et al. 2025, equation 4), with decay apart. Convolutions that see one channel (depthwise ones
    /// above all), transposed ones, and everything that is not a weight are updated as AdamW's are, with betas 0.9 and 0.95.
    Muon {
        /// Momentum, of Nesterov's form.
        momentum: f32,
        /// Decay.
        weight_decay: f32,
        /// Where it applies.
        #[serde(default)]
        decay: Decay,
    },
}

impl Optimizer {
    /// SGD with momentum and decay on all parameters.
    pub fn sgd(momentum: f32, weight_decay: f32) -> Self {
        Self::Sgd { momentum, nesterov: false, weight_decay, decay: Decay::All }
    }

    /// RMSprop with PyTorch's smoothing and epsilon.
    pub fn rmsprop(momentum: f32) -> Self {
        Self::RmsProp { alpha: 0.99, eps: 1e-8, momentum, weight_decay: 0.0, decay: Decay::All }
    }

    /// Adam with the paper's settings.
    pub fn adam() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decay: Decay::All }
    }

    /// AdamW with the paper's settings and decay on weights only.
    pub fn adamw(weight_decay: f32) -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay, decay: Decay::Weights }
    }

    /// Lion with the paper's settings and decay on weights only.
    pub fn lion(weight_decay: f32) -> Self {
        Self::Lion { beta1: 0.9, beta2: 0.99, weight_decay, decay: Decay::Weights }
    }

    /// Muon with its usual momentum and decay on weights only.
    pub fn muon(weight_decay: f32) -> Self {
        Self::Muon { momentum: 0.95, weight_decay, decay: Decay::Weights }
    }

    /// Whether a parameter is a matrix to [`Optimizer::Muon`], of as many rows as its first extent: the weight of a
    /// convolution that mixes channels.
    pub fn is_matrix(spec: &ParamSpec) -> bool {
        spec.role == Role::ConvWeight && spec.shape[1] > 1
    }

    /// How many values a parameter keeps between steps.
    pub fn slots(&self) -> usize {
        match self {
            Self::Sgd { .. } | Self::Lion { .. } => 1,
            Self::RmsProp { .. } | Self::Adam { .. } | Self::AdamW { .. } | Self::Muon { .. } => 2,
        }
    }
}
