//! The optimisers' rules over the flat buffers: a few calls for all parameters together.
//!
//! In PyTorch's conventions, and with its memory laid out as the other engines have it, so that a checkpoint of one goes on
//! with another.

use crate::muon;
use crate::params::Params;
use crate::transfer::{extent, upload};
use dapple_graph::{Decay, Optimizer, ParamSpec};
use tch::{Device, Kind, TchError, Tensor};

/// Smoothing of what Muon leaves to AdamW.
const MUON_BETAS: (f32, f32) = (0.9, 0.95);

/// A number for all values, or one for each.
enum Factor {
    One(f64),
    Each(Tensor),
}

impl Factor {
    fn times(&self, values: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::One(factor) => values.f_mul_scalar(*factor),
            Self::Each(factors) => values.f_mul(factors),
        }
    }

    fn scaled(&self, by: f64) -> Result<Self, TchError> {
        Ok(match self {
            Self::One(factor) => Self::One(factor * by),
            Self::Each(factors) => Self::Each(factors.f_mul_scalar(by)?),
        })
    }

    /// `1 - factor`.
    fn rest(&self) -> Result<Self, TchError> {
        Ok(match self {
            Self::One(factor) => Self::One(1.0 - factor),
            Self::Each(factors) => Self::Each(factors.f_rsub_scalar(1.0)?),
        })
    }

    fn and(&self, other: &Self) -> Result<Self, TchError> {
        match other {
            Self::One(factor) => self.scaled(*factor),
            Self::Each(factors) => self.times(factors).map(Self::Each),
        }
    }
}

/// An optimiser with its memory and the factors of the parameters' rates.
pub(crate) struct Rules {
    pub optimizer: Optimizer,
    pub steps: u64,
    /// `[values]` each.
    pub slots: Vec<Tensor>,
}

/// The factors of the learning rates.
pub(crate) struct Rates {
    /// One for each parameter.
    pub factors: Vec<f32>,
    device: Device,
}

impl Rates {
    pub fn new(factors: Vec<f32>, device: Device) -> Self {
        Self { factors, device }
    }

    /// A value for each trainable parameter, one for all where they are equal.
    fn spread(
        &self,
        specs: &[ParamSpec],
        value: impl Fn(usize, &ParamSpec) -> f32,
    ) -> Result<Factor, TchError> {
        let trained = || specs.iter().enumerate().filter(|(_, spec)| spec.role.trainable());
        let all: Vec<f32> = trained().map(|(i, spec)| value(i, spec)).collect();
        if all.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(Factor::One(all.first().map_or(1.0, |&value| f64::from(value))));
        }
        let each: Vec<f32> = trained()
            .zip(&all)
            .flat_map(|((_, spec), &value)| std::iter::repeat_n(value, spec.len()))
            .collect();
        upload(&each, self.device).map(Factor::Each)
    }

    /// Where parameters are frozen; `None` where none is.
    pub fn frozen(&self, specs: &[ParamSpec]) -> Result<Option<Tensor>, TchError> {
        let frozen = self.spread(specs, |i, _| if self.factors[i] == 0.0 { 1.0 } else { 0.0 })?;
        Ok(match frozen {
            Factor::One(0.0) => None,
            Factor::One(value) => {
                let len: usize = specs.iter().filter(|s| s.role.trainable()).map(ParamSpec::len).sum();
                Some(Tensor::f_full([extent(len)], value, (Kind::Bool, self.device))?)
            }
            Factor::Each(mask) => Some(mask.f_to_kind(Kind::Bool)?),
        })
    }
}

/// One step's settings.
pub(crate) struct Step<'a> {
    /// Of the gradient, `[values]`, clipped already.
    pub gradient: Tensor,
    pub learning_rate: f64,
    pub rates: &'a Rates,
    pub frozen: Option<Tensor>,
}

impl Rules {
    pub fn new(optimizer: Optimizer, params: &Params) -> Result<Self, TchError> {
        let slots = (0..optimizer.slots()).map(|_| params.values.f_zeros_like()).collect::<Result<_, _>>()?;
        Ok(Self { optimizer, steps: 0, slots })
    }

    /// Moves the parameters, and the memory; those that are frozen keep both to the bit.
    pub fn step(&mut self, params: &mut Params, step: &Step<'_>) -> Result<(), TchError> {
        let specs = &params.specs;
        let rate = step.rates.spread(specs, |i, _| step.rates.factors[i])?.scaled(step.learning_rate)?;
        let (g, p) = (&step.gradient, &params.values);
        let decayed = |amount: f32, decay: Decay| {
            let own = |_: usize, spec: &ParamSpec| if spec.role.decays() { amount } else { 0.0 };
            match decay {
                Decay::All => Ok(Factor::One(f64::from(amount))),
                Decay::Weights => step.rates.spread(specs, own),
            }
        };
        let (values, slots) = match self.optimizer {
            Optimizer::Sgd { momentum, nesterov, weight_decay, decay } => {
                let g = g.f_add(&decayed(weight_decay, decay)?.times(p)?)?;
                let v = mixed(&self.slots[0], momentum, &g, 1.0)?;
                let way = if nesterov { mixed(&g, 1.0, &v, momentum)? } else { v.shallow_clone() };
                (p.f_sub(&rate.times(&way)?)?, vec![v])
            }
            Optimizer::RmsProp { alpha, eps, momentum, weight_decay, decay } => {
                let g = g.f_add(&decayed(weight_decay, decay)?.times(p)?)?;
                let s = mixed(&self.slots[0], alpha, &g.f_square()?, 1.0 - alpha)?;
                let way = g.f_div(&s.f_sqrt()?.f_add_scalar(f64::from(eps))?)?;
                let v = mixed(&self.slots[1], momentum, &way, 1.0)?;
                (p.f_sub(&rate.times(&v)?)?, vec![s, v])
            }
            Optimizer::Adam { beta1, beta2, eps, weight_decay, decay } => {
                let g = g.f_add(&decayed(weight_decay, decay)?.times(p)?)?;
                let (way, slots) = self.adam(&g, (beta1, beta2), eps)?;
                (p.f_sub(&rate.times(&way)?)?, slots)
            }
            Optimizer::AdamW { beta1, beta2, eps, weight_decay, decay } => {
                let kept = decayed(weight_decay, decay)?.and(&rate)?.rest()?.times(p)?;
                let (way, slots) = self.adam(g, (beta1, beta2), eps)?;
                (kept.f_sub(&rate.times(&way)?)?, slots)
            }
            Optimizer::Lion { beta1, beta2, weight_decay, decay } => {
                let sign = mixed(&self.slots[0], beta1, g, 1.0 - beta1)?.f_sign()?;
                let way = sign.f_add(&decayed(weight_decay, decay)?.times(p)?)?;
                (p.f_sub(&rate.times(&way)?)?, vec![mixed(&self.slots[0], beta2, g, 1.0 - beta2)?])
            }
            Optimizer::Muon { momentum, weight_decay, decay } => {
                let kept = decayed(weight_decay, decay)?.and(&rate)?.rest()?.times(p)?;
                let (way, slots) = self.adam(g, MUON_BETAS, 1e-8)?;
                let others = (kept.f_sub(&rate.times(&way)?)?, slots);
                let rule = muon::Rule { momentum, weight_decay, rate: step.learning_rate };
                self.matrices(params, step, &rule, others)?
            }
        };
        let keep = |old: &Tensor, new: Tensor| match &step.frozen {
            Some(frozen) => old.f_where_self(frozen, &new),
            None => Ok(new),
        };
        let old = std::mem::take(&mut self.slots);
        self.slots = old.iter().zip(slots).map(|(old, new)| keep(old, new)).collect::<Result<_, _>>()?;
        params.values = keep(&params.values, values)?;
        self.steps += 1;
        Ok(())
    }

    /// The bias-corrected mean over the root of the bias-corrected mean square, and both as they are kept.
    fn adam(
        &self,
        g: &Tensor,
        (beta1, beta2): (f32, f32),
        eps: f32,
    ) -> Result<(Tensor, Vec<Tensor>), TchError> {
        let m = mixed(&self.slots[0], beta1, g, 1.0 - beta1)?;
        let s = mixed(&self.slots[1], beta2, &g.f_square()?, 1.0 - beta2)?;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf((self.steps + 1) as f64);
        let root = s.f_mul_scalar(1.0 / correction(beta2))?.f_sqrt()?.f_add_scalar(f64::from(eps))?;
        let way = m.f_mul_scalar(1.0 / correction(beta1))?.f_div(&root)?;
        Ok((way, vec![m, s]))
    }

    /// Puts Muon's steps of the matrices into those of all other parameters. The matrices' second slot stays as it is.
    fn matrices(
        &self,
        params: &Params,
        step: &Step<'_>,
        rule: &muon::Rule,
        (values, slots): (Tensor, Vec<Tensor>),
    ) -> Result<(Tensor, Vec<Tensor>), TchError> {
        for (index, spec) in params.specs.iter().enumerate().filter(|(_, spec)| Optimizer::is_matrix(spec)) {
            let factor = f64::from(step.rates.factors[index]);
            if factor == 0.0 {
                continue; // Frozen: the old values are taken anyway.
            }
            let rows = spec.shape[0];
            let cut = |flat: &Tensor| flat.f_narrow(0, extent(spec.offset), extent(spec.len()));
            let matrix = |flat: &Tensor| cut(flat)?.f_view_([extent(rows), extent(spec.len() / rows)]);
            let rule = muon::Rule { rate: rule.rate * factor, ..*rule };
            let (moved, velocity) =
                rule.step(&matrix(&params.values)?, &matrix(&step.gradient)?, &matrix(&self.slots[0])?)?;
            cut(&values)?.f_copy_(&moved.f_reshape([-1])?)?;
            cut(&slots[0])?.f_copy_(&velocity.f_reshape([-1])?)?;
            cut(&slots[1])?.f_copy_(&cut(&self.slots[1])?)?;
        }
        Ok((values, slots))
    }
}

/// `a x + b y`.
fn mixed(x: &Tensor, a: f32, y: &Tensor, b: f32) -> Result<Tensor, TchError> {
    x.f_mul_scalar(f64::from(a))?.f_add(&y.f_mul_scalar(f64::from(b))?)
}
