//! Learning rates and weight decay of the single parameters, spread over the flat buffers.

use crate::transfer::{extent, upload};
use dapple_graph::{Decay, Optimizer, ParamSpec};
use tch::{Device, Kind, TchError, Tensor};

/// A number for all values, or one for each.
pub(crate) enum Factor {
    One(f64),
    Each(Tensor),
}

impl Factor {
    pub fn times(&self, values: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::One(factor) => values.f_mul_scalar(*factor),
            Self::Each(factors) => values.f_mul(factors),
        }
    }

    pub fn scaled(&self, by: f64) -> Result<Self, TchError> {
        Ok(match self {
            Self::One(factor) => Self::One(factor * by),
            Self::Each(factors) => Self::Each(factors.f_mul_scalar(by)?),
        })
    }

    pub fn is_zero(&self) -> bool {
        matches!(self, Self::One(0.0))
    }

    /// `1 - factor`.
    pub fn rest(&self) -> Result<Self, TchError> {
        Ok(match self {
            Self::One(factor) => Self::One(1.0 - factor),
            Self::Each(factors) => Self::Each(factors.f_rsub_scalar(1.0)?),
        })
    }

    /// The product.
    pub fn and(&self, other: &Self) -> Result<Self, TchError> {
        match other {
            Self::One(factor) => self.scaled(*factor),
            Self::Each(factors) => self.times(factors).map(Self::Each),
        }
    }
}

/// The settings of a step that differ between parameters.
pub(crate) struct Rates {
    /// Factors of the learning rate, one for each parameter.
    pub factors: Vec<f32>,
    /// The same for each value.
    pub rate: Factor,
    /// Weight decay.
    pub decay: Factor,
    /// Where parameters are frozen; `None` where none is.
    pub frozen: Option<Tensor>,
}

impl Rates {
    pub fn new(
        factors: Vec<f32>,
        specs: &[ParamSpec],
        optimizer: Optimizer,
        device: Device,
    ) -> Result<Self, TchError> {
        let (amount, decay) = weight_decay(optimizer);
        let decays = |spec: &ParamSpec| decay == Decay::All || spec.role.decays();
        let frozen = |index: usize, _: &ParamSpec| if factors[index] == 0.0 { 1.0 } else { 0.0 };
        let frozen = match spread(specs, device, frozen)? {
            Factor::One(0.0) => None,
            Factor::One(_) => Some(Tensor::f_full([extent(trainable(specs))], 1i64, (Kind::Bool, device))?),
            Factor::Each(mask) => Some(mask.f_to_kind(Kind::Bool)?),
        };
        Ok(Self {
            rate: spread(specs, device, |index, _| factors[index])?,
            decay: spread(specs, device, |_, spec| if decays(spec) { amount } else { 0.0 })?,
            frozen,
            factors,
        })
    }
}

/// The rule's weight decay, and where it applies.
fn weight_decay(optimizer: Optimizer) -> (f32, Decay) {
    match optimizer {
        Optimizer::Sgd { weight_decay, decay, .. }
        | Optimizer::RmsProp { weight_decay, decay, .. }
        | Optimizer::Adam { weight_decay, decay, .. }
        | Optimizer::AdamW { weight_decay, decay, .. }
        | Optimizer::Lion { weight_decay, decay, .. }
        | Optimizer::Muon { weight_decay, decay, .. } => (weight_decay, decay),
    }
}

fn trainable(specs: &[ParamSpec]) -> usize {
    specs.iter().filter(|spec| spec.role.trainable()).map(ParamSpec::len).sum()
}

/// A value for each trainable parameter; one for all where they are equal.
fn spread(
    specs: &[ParamSpec],
    device: Device,
    value: impl Fn(usize, &ParamSpec) -> f32,
) -> Result<Factor, TchError> {
    let trained = || specs.iter().enumerate().filter(|(_, spec)| spec.role.trainable());
    let all: Vec<f32> = trained().map(|(index, spec)| value(index, spec)).collect();
    if all.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(Factor::One(all.first().map_or(1.0, |&value| f64::from(value))));
    }
    let each = trained().zip(&all).flat_map(|((_, spec), &value)| std::iter::repeat_n(value, spec.len()));
    upload(&each.collect::<Vec<f32>>(), device).map(Factor::Each)
}
