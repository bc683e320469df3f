//! The guided filter (He, Sun, Tang, ECCV 2010 and PAMI 2013), with a colour guide, on a reduced picture as the fast
//! guided filter does (He, Sun 2015, arXiv:1505.00996).
//!
//! Around each pixel, alpha is a linear function of red, green and blue that is fitted to the given alpha in a square;
//! where colours differ along the edge of an object, alpha follows the edge.

use super::filter::box_mean;
use super::plane::Plane;

/// Regularization: the variance of colours, of values in 0..=1, below which alpha is smoothed instead of fitted.
const EPSILON: f32 = 1e-4;

/// Fits `alpha` to a photograph of the same size; `rgb` is `[height, width, 3]`, `factor` that by which the fit's
/// picture is reduced, `radius` the half side of the squares in its pixels.
pub(crate) fn refine(alpha: &Plane, rgb: &[u8], radius: usize, factor: usize) -> Plane {
    let Plane { width, height, .. } = *alpha;
    let channel = |c: usize| {
        let values = rgb.iter().skip(c).step_by(3).map(|&v| f32::from(v) / 255.0).collect();
        Plane::new(width, height, values).shrunk(factor)
    };
    let guide = [0, 1, 2].map(channel);
    let [slopes @ .., offset] = coefficients(&guide, &alpha.shrunk(factor), radius);

    let mut out = vec![0.0; width * height];
    let mut lines: [Vec<f32>; 4] = std::array::from_fn(|_| vec![0.0; width]);
    for (y, (to, rgb)) in out.chunks_exact_mut(width).zip(rgb.chunks_exact(3 * width)).enumerate() {
        for (plane, line) in slopes.iter().chain([&offset]).zip(&mut lines) {
            plane.stretched_row(y, factor, line);
        }
        let [r, g, b, constant] = &lines;
        for (x, (to, rgb)) in to.iter_mut().zip(rgb.as_chunks::<3>().0).enumerate() {
            let [red, green, blue] = rgb.map(|v| f32::from(v) / 255.0);
            *to = (r[x] * red + g[x] * green + b[x] * blue + constant[x]).clamp(0.0, 1.0);
        }
    }
    Plane::new(width, height, out)
}

/// The slopes for red, green and blue and the offset at each pixel, means over the squares that hold it.
fn coefficients(guide: &[Plane; 3], alpha: &Plane, radius: usize) -> [Plane; 4] {
    let mean = |plane: &Plane| box_mean(plane, radius);
    let covariance = |a: &Plane, b: &Plane, mean_a: &Plane, mean_b: &Plane| {
        let product = mean(&a.with(b, |a, b| a * b));
        product.with(&mean_a.with(mean_b, |a, b| a * b), |p, q| p - q)
    };
    let means = [0, 1, 2].map(|c| mean(&guide[c]));
    let mean_alpha = mean(alpha);
    let between = [0, 1, 2].map(|c| covariance(&guide[c], alpha, &means[c], &mean_alpha));
    let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
    let within = pairs.map(|(a, b)| covariance(&guide[a], &guide[b], &means[a], &means[b]));

    let mut fitted: [Plane; 4] = std::array::from_fn(|_| alpha.clone());
    for i in 0..alpha.data.len() {
        let slopes = solve(within.each_ref().map(|p| p.data[i]), between.each_ref().map(|p| p.data[i]));
        for c in 0..3 {
            fitted[c].data[i] = slopes[c];
        }
        fitted[3].data[i] = mean_alpha.data[i] - (0..3).map(|c| slopes[c] * means[c].data[i]).sum::<f32>();
    }
    fitted.map(|plane| mean(&plane))
}

/// Solves `(S + epsilon 1) a = v` for the symmetric matrix `S` = `[[a, b, c], [b, d, e], [c, e, f]]` by its adjugate.
fn solve([a, b, c, d, e, f]: [f32; 6], v: [f32; 3]) -> [f32; 3] {
    // In double precision: of nearly equal channels the determinant is a difference of products that cancel.
    let [a, b, c, d, e, f] = [a + EPSILON, b, c, d + EPSILON, e, f + EPSILON].map(f64::from);
    let v = v.map(f64::from);
    let adjugate = [
        [d * f - e * e, c * e - b * f, b * e - c * d],
        [c * e - b * f, a * f - c * c, b * c - a * e],
        [b * e - c * d, b * c - a * e, a * d - b * b],
    ];
    let determinant = a * adjugate[0][0] + b * adjugate[0][1] + c * adjugate[0][2];
    adjugate.map(|row| ((row[0] * v[0] + row[1] * v[1] + row[2] * v[2]) / determinant) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solving_a_system_by_hand() {
        let found = solve([2.0, 1.0, 0.0, 3.0, 1.0, 4.0], [4.0, 10.0, 14.0]);
        for (found, wanted) in found.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - wanted).abs() < 1e-3, "{found} is not {wanted}");
        }
    }

    #[test]
    fn a_coarse_edge_moves_to_that_of_the_photograph() {
        // Red and blue halves meet at column 32; the alpha has its edge at 28 and is soft over 12 pixels.
        let (width, height) = (64, 40);
        let rgb: Vec<u8> = (0..width * height)
            .flat_map(|i| if i % width < 32 { [200, 30, 40] } else { [30, 40, 200] })
            .collect();
        let ramp = |x: usize| ((x as f32 - 22.0) / 12.0).clamp(0.0, 1.0);
        let alpha = Plane::new(width, height, (0..width * height).map(|i| ramp(i % width)).collect());
        for factor in [1, 2] {
            let refined = refine(&alpha, &rgb, 16 / factor, factor);
            let row = &refined.data[20 * width..][..width];
            assert!(row[31] < 0.35 && row[32] > 0.65, "factor {factor}: {} {}", row[31], row[32]);
            assert!(row[2] < 0.1 && row[61] > 0.9, "factor {factor}: {row:?}");
        }
    }
}
