//! Muon's update of one matrix: its momentum, made nearly orthogonal.
//!
//! Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the factor by which its step has the
//! size of an AdamW step: Liu et al., "Muon is Scalable for LLM Training", 2025, equation 4.

use tch::{Kind, TchError, Tensor};

/// Coefficients of the iteration, which drive singular values towards 1 quickly rather than exactly.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;

/// A step's settings.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub momentum: f32,
    pub weight_decay: f32,
    pub rate: f64,
}

impl Rule {
    /// The matrix and its momentum after a step, all `[rows, columns]`.
    pub fn step(
        &self,
        values: &Tensor,
        gradient: &Tensor,
        velocity: &Tensor,
    ) -> Result<(Tensor, Tensor), TchError> {
        let momentum = f64::from(self.momentum);
        let moved = |towards: &Tensor, share: f64| -> Result<Tensor, TchError> {
            gradient.f_mul_scalar(1.0 - share)?.f_add(&towards.f_mul_scalar(share)?)
        };
        let velocity = moved(velocity, momentum)?;
        // Nesterov's form.
        let direction = orthogonal(&moved(&velocity, momentum)?)?;
        let size = values.size();
        let length = 0.2 * (size[0].max(size[1]) as f64).sqrt();
        let kept = values.f_mul_scalar(1.0 - self.rate * f64::from(self.weight_decay))?;
        Ok((kept.f_sub(&direction.f_mul_scalar(self.rate * length)?)?, velocity))
    }
}

/// Newton and Schulz's iteration `X <- a X + (b A + c A²) X` with `A = X X'`, on the side with fewer rows.
fn orthogonal(matrix: &Tensor) -> Result<Tensor, TchError> {
    let size = matrix.size();
    if size[0] > size[1] {
        return orthogonal(&matrix.f_transpose(0, 1)?)?.f_transpose(0, 1);
    }
    let [a, b, c] = COEFFICIENTS;
    let norm = matrix.f_norm_scalaropt_dtype(2, Kind::Double)?.f_clamp_min(1e-7)?.f_to_kind(Kind::Float)?;
    let mut x = matrix.f_div(&norm)?;
    for _ in 0..ITERATIONS {
        let gram = x.f_matmul(&x.f_transpose(0, 1)?)?;
        let mixed = gram.f_mul_scalar(b)?.f_add(&gram.f_matmul(&gram)?.f_mul_scalar(c)?)?;
        x = x.f_mul_scalar(a)?.f_add(&mixed.f_matmul(&x)?)?;
    }
    Ok(x)
}
