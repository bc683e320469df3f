//! The optimizers' updates.

use dapple_graph::{Decay, Optimizer, ParamSpec, Role};

/// An optimizer with its memory, in `f64`.
#[derive(Clone, Debug)]
pub struct Stepper {
    optimizer: Optimizer,
    steps: i32,
    /// One flat buffer a slot, laid out like the values: SGD's velocity; RMSprop's mean square and velocity;
    /// Adam's and AdamW's mean and mean square; Lion's mean; Muon's momentum, and AdamW's for what it leaves to it.
    pub slots: Vec<Vec<f64>>,
}

impl Stepper {
    /// Before the first step: all memory is zero. `len` is the number of trainable values.
    pub fn new(optimizer: Optimizer, len: usize) -> Self {
        Self { optimizer, steps: 0, slots: vec![vec![0.0; len]; optimizer.slots()] }
    }

    /// One step; returns the norm of the gradient before clipping. A gradient is scaled by
    /// `min(1, clip / (norm + 1e-6))`, as `torch.nn.utils.clip_grad_norm_` does.
    ///
    /// # Panics
    /// If the lengths differ from each other or from the specs'.
    pub fn step(
        &mut self,
        specs: &[ParamSpec],
        values: &mut [f64],
        gradients: &[f64],
        learning_rate: f64,
        clip: Option<f64>,
    ) -> f64 {
        assert_eq!(values.len(), gradients.len(), "each value has a gradient");
        self.steps += 1;
        let norm = gradients.iter().map(|g| g * g).sum::<f64>().sqrt();
        let scale = clip.map_or(1.0, |clip| (clip / (norm + 1e-6)).min(1.0));
        for spec in specs.iter().filter(|s| s.role.trainable()) {
            if let Optimizer::Muon { momentum, weight_decay, .. } = self.optimizer
                && let Some(rows) = muon_rows(spec)
            {
                let range = spec.offset..spec.offset + spec.len();
                let gradients: Vec<f64> = gradients[range.clone()].iter().map(|g| g * scale).collect();
                let velocity = &mut self.slots[0][range.clone()];
                let rule = (f64::from(momentum), f64::from(weight_decay));
                muon(rule, rows, &mut values[range], &gradients, velocity, learning_rate);
                continue;
            }
            for i in spec.offset..spec.offset + spec.len() {
                self.update(i, &mut values[i], gradients[i] * scale, learning_rate, spec.role.decays());
            }
        }
        norm
    }

    /// Updates value `i`. `weight`: it belongs to a weight, which decays under [`Decay::Weights`] too.
    fn update(&mut self, i: usize, p: &mut f64, g: f64, lr: f64, weight: bool) {
        let decayed = |rate: f32, decay: Decay| match decay {
            Decay::Weights if !weight => 0.0,
            _ => f64::from(rate),
        };
        match self.optimizer {
            Optimizer::Sgd { momentum, nesterov, weight_decay, decay } => {
                let g = g + decayed(weight_decay, decay) * *p;
                let v = &mut self.slots[0][i];
                *v = f64::from(momentum) * *v + g;
                *p -= lr * if nesterov { g + f64::from(momentum) * *v } else { *v };
            }
            Optimizer::RmsProp { alpha, eps, momentum, weight_decay, decay } => {
                let g = g + decayed(weight_decay, decay) * *p;
                let alpha = f64::from(alpha);
                let s = alpha * self.slots[0][i] + (1.0 - alpha) * g * g;
                let v = f64::from(momentum) * self.slots[1][i] + g / (s.sqrt() + f64::from(eps));
                (self.slots[0][i], self.slots[1][i]) = (s, v);
                *p -= lr * v;
            }
            Optimizer::Adam { beta1, beta2, eps, weight_decay, decay } => {
                let g = g + decayed(weight_decay, decay) * *p;
                *p -= lr * self.adam(i, g, beta1, beta2, eps);
            }
            Optimizer::AdamW { beta1, beta2, eps, weight_decay, decay } => {
                *p *= 1.0 - lr * decayed(weight_decay, decay);
                *p -= lr * self.adam(i, g, beta1, beta2, eps);
            }
            Optimizer::Lion { beta1, beta2, weight_decay, decay } => {
                let (beta1, beta2) = (f64::from(beta1), f64::from(beta2));
                let m = &mut self.slots[0][i];
                let mixed = beta1 * *m + (1.0 - beta1) * g;
                let sign = if mixed == 0.0 { 0.0 } else { mixed.signum() };
                *p -= lr * (sign + decayed(weight_decay, decay) * *p);
                *m = beta2 * *m + (1.0 - beta2) * g;
            }
            Optimizer::Muon { weight_decay, decay, .. } => {
                *p *= 1.0 - lr * decayed(weight_decay, decay);
                *p -= lr * self.adam(i, g, 0.9, 0.95, 1e-8);
            }
        }
    }

    /// The bias-corrected mean over the root of the bias-corrected mean square.
    fn adam(&mut self, i: usize, g: f64, beta1: f32, beta2: f32, eps: f32) -> f64 {
        let (beta1, beta2) = (f64::from(beta1), f64::from(beta2));
        let m = beta1 * self.slots[0][i] + (1.0 - beta1) * g;
        let s = beta2 * self.slots[1][i] + (1.0 - beta2) * g * g;
        (self.slots[0][i], self.slots[1][i]) = (m, s);
        let mean = m / (1.0 - beta1.powi(self.steps));
        let square = s / (1.0 - beta2.powi(self.steps));
        mean / (square.sqrt() + f64::from(eps))
    }
}

/// Rows of the matrix that Muon sees of a parameter: a convolution's weight has its output channels.
fn muon_rows(spec: &ParamSpec) -> Option<usize> {
    (spec.role == Role::ConvWeight && spec.shape[1] > 1).then_some(spec.shape[0])
}

/// Muon's step for one matrix, with the coefficients of Jordan et al. 2024.
fn muon(
    (momentum, weight_decay): (f64, f64),
    rows: usize,
    values: &mut [f64],
    gradients: &[f64],
    velocity: &mut [f64],
    lr: f64,
) {
    let columns = values.len() / rows;
    // PyTorch's: a moving mean, and Nesterov's form of it.
    velocity.iter_mut().zip(gradients).for_each(|(v, g)| *v = momentum * *v + (1.0 - momentum) * g);
    let nesterov = |(g, v): (&f64, &f64)| (1.0 - momentum) * g + momentum * v;
    let mut x: Vec<f64> = gradients.iter().zip(&*velocity).map(nesterov).collect();
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-7);
    x.iter_mut().for_each(|v| *v /= norm);
    let product = |a: &[f64], b: &[f64], (n, m, k): (usize, usize, usize)| -> Vec<f64> {
        (0..n * k).map(|i| (0..m).map(|j| a[i / k * m + j] * b[j * k + i % k]).sum()).collect()
    };
    let transposed =
        |a: &[f64], n: usize, m: usize| -> Vec<f64> { (0..n * m).map(|i| a[i % n * m + i / n]).collect() };
    let (mut n, mut m) = (rows, columns);
    if rows > columns {
        x = transposed(&x, n, m);
        (n, m) = (m, n);
    }
    for _ in 0..5 {
        let gram = product(&x, &transposed(&x, n, m), (n, m, n));
        let square = product(&gram, &gram, (n, n, n));
        let mixed: Vec<f64> = gram.iter().zip(&square).map(|(a, b)| -4.775 * a + 2.0315 * b).collect();
        let turned = product(&mixed, &x, (n, n, m));
        x.iter_mut().zip(&turned).for_each(|(x, t)| *x = 3.4445 * *x + t);
    }
    if rows > columns {
        x = transposed(&x, n, m);
    }
    let factor = 0.2 * (rows.max(columns) as f64).sqrt();
    for (p, direction) in values.iter_mut().zip(&x) {
        *p *= 1.0 - lr * weight_decay;
        *p -= lr * factor * direction;
    }
}
