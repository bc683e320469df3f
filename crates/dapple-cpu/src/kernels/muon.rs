//! Muon's update of one matrix: its momentum, made nearly orthogonal.
//!
//! Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the factor by which its step has the
//! size of an AdamW step: Liu et al., "Muon is Scalable for LLM Training", 2025, equation 4.

use rayon::prelude::*;

/// Coefficients of the iteration, which drive singular values towards 1 quickly rather than exactly.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;

/// A step's settings.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub momentum: f32,
    pub weight_decay: f32,
    pub rate: f32,
    /// Factor of the gradient (clipping).
    pub scale: f32,
}

impl Rule {
    /// Updates a matrix of that many rows.
    pub fn step(&self, rows: usize, values: &mut [f32], gradients: &[f32], velocity: &mut [f32]) {
        let columns = values.len() / rows;
        let mut direction = Vec::with_capacity(values.len());
        for (v, g) in velocity.iter_mut().zip(gradients) {
            let g = g * self.scale;
            *v += (1.0 - self.momentum) * (g - *v);
            direction.push(g + self.momentum * (*v - g));
        }
        let direction = orthogonal(direction, rows, columns);
        let (keep, rate) = (1.0 - self.rate * self.weight_decay, self.rate * step_size(rows, columns));
        values.iter_mut().zip(&direction).for_each(|(p, d)| *p = keep * *p - rate * d);
    }
}

fn step_size(rows: usize, columns: usize) -> f32 {
    0.2 * (rows.max(columns) as f32).sqrt()
}

/// Newton and Schulz's iteration `X <- a X + (b A + c A²) X` with `A = X X'`, on the side with fewer rows.
fn orthogonal(matrix: Vec<f32>, rows: usize, columns: usize) -> Vec<f32> {
    if rows > columns {
        return transposed(&orthogonal(transposed(&matrix, rows, columns), columns, rows), columns, rows);
    }
    let [a, b, c] = COEFFICIENTS;
    let norm = matrix.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt().max(1e-7);
    let mut x: Vec<f32> = matrix.iter().map(|&v| (f64::from(v) / norm) as f32).collect();
    for _ in 0..ITERATIONS {
        let gram = product(&x, &transposed(&x, rows, columns), columns, rows);
        let square = product(&gram, &gram, rows, rows);
        let mixed: Vec<f32> = gram.iter().zip(&square).map(|(g, s)| b * g + c * s).collect();
        let turned = product(&mixed, &x, rows, columns);
        x.iter_mut().zip(&turned).for_each(|(x, t)| *x = a * *x + t);
    }
    x
}

fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|i| matrix[i % rows * columns + i / rows]).collect()
}

/// `A B` for `A` of rows of `depth` values and `B` of rows of `columns`.
fn product(a: &[f32], b: &[f32], depth: usize, columns: usize) -> Vec<f32> {
    let mut c = vec![0.0; a.len() / depth * columns];
    c.par_chunks_mut(columns).zip(a.par_chunks(depth)).for_each(|(c, a)| {
        for (&a, b) in a.iter().zip(b.chunks_exact(columns)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
    });
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_values_come_near_one() {
        // Orthogonal rows of very different lengths, and the same turned.
        let wide = vec![3.0, 0.0, 0.0, 0.0, 0.0, 0.5];
        for (matrix, rows, columns) in [(wide.clone(), 2, 3), (transposed(&wide, 2, 3), 3, 2)] {
            let found = orthogonal(matrix.clone(), rows, columns);
            for (found, given) in found.iter().zip(&matrix) {
                let length = found.abs();
                assert!(if *given == 0.0 { length < 1e-6 } else { (0.6..1.3).contains(&length) }, "{found}");
            }
        }
    }
}
