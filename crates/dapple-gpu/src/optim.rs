//! The optimizers' updates, on flat tensors.

use crate::flat::{Flat, sum};
use burn_tensor::Tensor;
use dapple_graph::{Decay, Optimizer, ParamSpec};

/// Smoothing of what Muon leaves to AdamW.
const MUON_BETAS: (f32, f32) = (0.9, 0.95);
/// Muon's coefficients (Jordan et al. 2024), which drive singular values towards 1 quickly rather than exactly.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;

/// The settings of one step. All tensors are laid out like the values.
pub(crate) struct Step<'a> {
    pub rule: Optimizer,
    /// The learning rate.
    pub rate: f32,
    /// Factors of the learning rate, none where all are 1.
    pub factors: Option<Tensor<1>>,
    /// 1 for weights, 0 for all else, none where it does not matter.
    pub weights: Option<Tensor<1>>,
    /// Steps taken before.
    pub steps: u64,
    pub specs: &'a [ParamSpec],
    /// Factor of the learning rate of each parameter, on the host.
    pub rate_factors: &'a [f32],
}

/// Values and memory after a step.
pub(crate) struct Stepped {
    pub values: Tensor<1>,
    pub slots: Vec<Tensor<1>>,
}

/// The parameters that [`Decay::Weights`] decays, as 1.
pub(crate) fn weight_mask(specs: &[ParamSpec], len: usize) -> Vec<f32> {
    spread(specs, len, |index| if specs[index].role.decays() { 1.0 } else { 0.0 })
}

/// A value for each parameter, repeated for each of its values.
pub(crate) fn spread(specs: &[ParamSpec], len: usize, value: impl Fn(usize) -> f32) -> Vec<f32> {
    let mut values = vec![0.0; len];
    for (index, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.role.trainable()) {
        values[spec.offset..spec.offset + spec.len()].fill(value(index));
    }
    values
}

impl Step<'_> {
    /// One step. The gradient is scaled already; frozen values keep what they have.
    pub fn take(&self, p: Tensor<1>, g: Tensor<1>, slots: &[Tensor<1>]) -> Stepped {
        let mut stepped = self.update(p.clone(), g.clone(), slots);
        if let Optimizer::Muon { momentum, weight_decay, .. } = self.rule {
            stepped = self.learn_matrices(stepped, [&p, &g, &slots[0]], momentum, weight_decay);
        }
        let Some(factors) = &self.factors else { return stepped };
        let frozen = factors.clone().equal_scalar(0.0);
        let keep = |new: Tensor<1>, old: &Tensor<1>| new.mask_where(frozen.clone(), old.clone());
        Stepped {
            values: keep(stepped.values, &p),
            slots: stepped.slots.into_iter().zip(slots).map(|(new, old)| keep(new, old)).collect(),
        }
    }

    fn update(&self, p: Tensor<1>, g: Tensor<1>, slots: &[Tensor<1>]) -> Stepped {
        let first = slots[0].clone();
        match self.rule {
            Optimizer::Sgd { momentum, nesterov, weight_decay, decay } => {
                let g = self.with_decay(g, &p, weight_decay, decay);
                let v = first * momentum + g.clone();
                let direction = if nesterov { g + v.clone() * momentum } else { v.clone() };
                Stepped { values: p - self.paced(direction), slots: vec![v] }
            }
            Optimizer::RmsProp { alpha, eps, momentum, weight_decay, decay } => {
                let g = self.with_decay(g, &p, weight_decay, decay);
                let square = first * alpha + g.clone() * g.clone() * (1.0 - alpha);
                let v = slots[1].clone() * momentum + g / (square.clone().sqrt() + eps);
                Stepped { values: p - self.paced(v.clone()), slots: vec![square, v] }
            }
            Optimizer::Adam { beta1, beta2, eps, weight_decay, decay } => {
                let g = self.with_decay(g, &p, weight_decay, decay);
                self.adam(p, g, slots, (beta1, beta2), eps)
            }
            Optimizer::AdamW { beta1, beta2, eps, weight_decay, decay } => {
                let p = self.decayed(p, weight_decay, decay);
                self.adam(p, g, slots, (beta1, beta2), eps)
            }
            Optimizer::Lion { beta1, beta2, weight_decay, decay } => {
                let sign = (first.clone() * beta1 + g.clone() * (1.0 - beta1)).sign();
                let mean = first * beta2 + g * (1.0 - beta2);
                let p = self.decayed(p, weight_decay, decay);
                Stepped { values: p - self.paced(sign), slots: vec![mean] }
            }
            Optimizer::Muon { weight_decay, decay, .. } => {
                let p = self.decayed(p, weight_decay, decay);
                self.adam(p, g, slots, MUON_BETAS, 1e-8)
            }
        }
    }

    fn adam(
        &self,
        p: Tensor<1>,
        g: Tensor<1>,
        slots: &[Tensor<1>],
        (beta1, beta2): (f32, f32),
        eps: f32,
    ) -> Stepped {
        let mean = slots[0].clone() * beta1 + g.clone() * (1.0 - beta1);
        let square = slots[1].clone() * beta2 + g.clone() * g * (1.0 - beta2);
        let correction = |beta: f32| 1.0 / (1.0 - f64::from(beta).powf((self.steps + 1) as f64));
        let root = square.clone().sqrt() * correction(beta2).sqrt() as f32 + eps;
        let direction = mean.clone() / root * correction(beta1) as f32;
        Stepped { values: p - self.paced(direction), slots: vec![mean, square] }
    }

    /// Times the learning rate and each value's factor of it.
    fn paced(&self, direction: Tensor<1>) -> Tensor<1> {
        let direction = direction * self.rate;
        match &self.factors {
            Some(factors) => direction * factors.clone(),
            None => direction,
        }
    }

    /// The gradient with that of the decay.
    fn with_decay(&self, g: Tensor<1>, p: &Tensor<1>, amount: f32, decay: Decay) -> Tensor<1> {
        match amount == 0.0 {
            true => g,
            false => g + self.decaying(p.clone(), decay) * amount,
        }
    }

    /// `p (1 - rate amount)` where it decays.
    fn decayed(&self, p: Tensor<1>, amount: f32, decay: Decay) -> Tensor<1> {
        match amount == 0.0 {
            true => p,
            false => p.clone() - self.paced(self.decaying(p, decay)) * amount,
        }
    }

    fn decaying(&self, p: Tensor<1>, decay: Decay) -> Tensor<1> {
        match (&self.weights, decay) {
            (Some(weights), Decay::Weights) => p * weights.clone(),
            _ => p,
        }
    }

    /// Muon's own steps: of the matrices, which [`Step::update`] has treated as the rest.
    fn learn_matrices(
        &self,
        stepped: Stepped,
        [p, g, momentum]: [&Tensor<1>; 3],
        share: f32,
        weight_decay: f32,
    ) -> Stepped {
        let (mut values, mut velocities, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
        for (index, spec) in self.specs.iter().enumerate() {
            if !Optimizer::is_matrix(spec) {
                continue;
            }
            let rows = spec.shape[0];
            let range = spec.offset..spec.offset + spec.len();
            let columns = spec.len() / rows;
            let cut = |all: &Tensor<1>| all.clone().slice([range.clone()]);
            let g = cut(g);
            let velocity = cut(momentum) * share + g.clone() * (1.0 - share);
            let nesterov = g * (1.0 - share) + velocity.clone() * share;
            let direction = orthogonal(nesterov.reshape([rows, columns])).reshape([spec.len()]);
            let rate = self.rate * self.rate_factors[index];
            let size = 0.2 * (rows.max(columns) as f32).sqrt();
            let value = cut(p) * (1.0 - rate * weight_decay) - direction * (rate * size);
            values.push((range.clone(), value));
            velocities.push((range.clone(), velocity));
            // The second memory is AdamW's; matrices have none.
            seconds.push((range.clone(), Tensor::zeros([spec.len()], &p.device())));
        }
        let replaced = |all: Tensor<1>, parts| match Flat(Some(all.clone())).replaced(parts).0 {
            Some(tensor) => tensor,
            None => all,
        };
        let Stepped { values: rest, slots } = stepped;
        let mut slots = slots.into_iter();
        let slots = [velocities, seconds].map(|parts| slots.next().map(|slot| replaced(slot, parts)));
        Stepped { values: replaced(rest, values), slots: slots.into_iter().flatten().collect() }
    }
}

/// Newton and Schulz's iteration `X <- a X + (b A + c A²) X` with `A = X X'`, on the side with fewer rows.
fn orthogonal(matrix: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    if rows > columns {
        return orthogonal(matrix.transpose()).transpose();
    }
    let [a, b, c] = COEFFICIENTS;
    let squares = (matrix.clone() * matrix.clone()).reshape([rows * columns]);
    let norm = sum(squares).sqrt().clamp_min(1e-7).reshape([1, 1]);
    let mut x = matrix / norm;
    for _ in 0..ITERATIONS {
        let gram = x.clone().matmul(x.clone().transpose());
        let mixed = gram.clone() * b + gram.clone().matmul(gram) * c;
        x = x.clone() * a + mixed.matmul(x);
    }
    x
}
