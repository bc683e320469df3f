//! The optimizers over the flat buffers: a few calls for all parameters together.
//!
//! In PyTorch's conventions, and with its memory laid out as the other engines have it, so that a training can move from one
//! to another.

use crate::muon;
use crate::params::Params;
use crate::rates::Rates;
use crate::transfer::extent;
use dapple_graph::Optimizer;
use tch::{TchError, Tensor};

/// Smoothing of what Muon leaves to AdamW.
const MUON_BETAS: (f32, f32) = (0.9, 0.95);

/// An optimizer with its memory and the factors of the parameters' rates.
pub(crate) struct Rules {
    pub optimizer: Optimizer,
    pub steps: u64,
    /// `[values]` each.
    pub slots: Vec<Tensor>,
}

/// One step's settings.
pub(crate) struct Step<'a> {
    /// Of the gradient, `[values]`, clipped already.
    pub gradient: Tensor,
    pub learning_rate: f64,
    pub rates: &'a Rates,
}

impl Rules {
    pub fn new(optimizer: Optimizer, params: &Params) -> Result<Self, TchError> {
        let slots = (0..optimizer.slots()).map(|_| params.values.f_zeros_like()).collect::<Result<_, _>>()?;
        Ok(Self { optimizer, steps: 0, slots })
    }

    /// Moves the parameters, and the memory; those that are frozen keep both to the bit.
    pub fn step(&mut self, params: &mut Params, step: &Step<'_>) -> Result<(), TchError> {
        let rate = step.rates.rate.scaled(step.learning_rate)?;
        let (g, p) = (&step.gradient, &params.values);
        // Decay added to the gradient, and decay apart from it.
        let (decay, none) = (&step.rates.decay, step.rates.decay.is_zero());
        let decayed = || if none { Ok(g.shallow_clone()) } else { g.f_add(&decay.times(p)?) };
        let shrunk = || if none { Ok(p.shallow_clone()) } else { decay.and(&rate)?.rest()?.times(p) };
        let (values, slots) = match self.optimizer {
            Optimizer::Sgd { momentum, nesterov, .. } => {
                let g = decayed()?;
                let v = mixed(&self.slots[0], momentum, &g, 1.0)?;
                let way = if nesterov { mixed(&g, 1.0, &v, momentum)? } else { v.shallow_clone() };
                (p.f_sub(&rate.times(&way)?)?, vec![v])
            }
            Optimizer::RmsProp { alpha, eps, momentum, .. } => {
                let g = decayed()?;
                let s = mixed(&self.slots[0], alpha, &g.f_square()?, 1.0 - alpha)?;
                let way = g.f_div(&s.f_sqrt()?.f_add_scalar(f64::from(eps))?)?;
                let v = mixed(&self.slots[1], momentum, &way, 1.0)?;
                (p.f_sub(&rate.times(&v)?)?, vec![s, v])
            }
            Optimizer::Adam { beta1, beta2, eps, .. } => {
                let (way, slots) = self.adam(&decayed()?, (beta1, beta2), eps)?;
                (p.f_sub(&rate.times(&way)?)?, slots)
            }
            Optimizer::AdamW { beta1, beta2, eps, .. } => {
                let (way, slots) = self.adam(g, (beta1, beta2), eps)?;
                (shrunk()?.f_sub(&rate.times(&way)?)?, slots)
            }
            Optimizer::Lion { beta1, beta2, .. } => {
                let sign = mixed(&self.slots[0], beta1, g, 1.0 - beta1)?.f_sign()?;
                let way = if none { sign } else { sign.f_add(&decay.times(p)?)? };
                (p.f_sub(&rate.times(&way)?)?, vec![mixed(&self.slots[0], beta2, g, 1.0 - beta2)?])
            }
            Optimizer::Muon { momentum, weight_decay, .. } => {
                let (way, slots) = self.adam(g, MUON_BETAS, 1e-8)?;
                let others = (shrunk()?.f_sub(&rate.times(&way)?)?, slots);
                let rule = muon::Rule { momentum, weight_decay, rate: step.learning_rate };
                self.matrices(params, step, &rule, others)?
            }
        };
        let keep = |old: &Tensor, new: Tensor| match &step.rates.frozen {
            Some(frozen) => old.f_where_self(frozen, &new),
            None => Ok(new),
        };
        // All or nothing: what fails leaves no step half done.
        let slots =
            self.slots.iter().zip(slots).map(|(old, new)| keep(old, new)).collect::<Result<_, _>>()?;
        params.values = keep(&params.values, values)?;
        self.slots = slots;
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
