//! Exponential, sigmoid and normal distribution functions of sixteen lanes.
//!
//! Largest relative errors, measured over all lanes' ranges by the tests below: `exp` 2e-7, `sigmoid` 3e-7; `normal`
//! 1e-6 down to -3 and 1e-5 down to -6, where it is 1e-9. NaN stays NaN.

use crate::simd::Simd;

/// `e^x`; 0 below -87.3, where the result is no longer a normal number, and at most `e^88`.
///
/// # Safety
/// The level of `S` must be there.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe { bounded_exp::<S, true, true>(x) }
}

/// As [`exp`], with the same bits at every level: nothing is fused.
///
/// # Safety
/// The level of `S` must be there.
#[inline(always)]
pub(crate) unsafe fn exp_everywhere<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe { bounded_exp::<S, true, false>(x) }
}

/// As [`exp`], of values above 88 only if `LARGE`, with multiply-adds as the level has them only if `FUSED`.
///
/// Cody and Waite's reduction to `|r| <= ln(2) / 2`, then the Taylor polynomial of degree 7 (error below 2e-9).
///
/// # Safety
/// The level of `S` must be there.
#[inline(always)]
unsafe fn bounded_exp<S: Simd, const LARGE: bool, const FUSED: bool>(x: S::V) -> S::V {
    const LOW: f32 = -87.3;
    const HIGH: f32 = 88.0;
    // ln(2) in two parts, the first with trailing zeros, so that its product with `n` is exact.
    const LN2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    const TAYLOR: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // SAFETY: arithmetic only. Comparisons with NaN fail, which keeps it.
    unsafe {
        let low = S::splat(LOW);
        let mut bounded = S::select_greater(low, x, low, x);
        if LARGE {
            bounded = S::select_greater(x, S::splat(HIGH), S::splat(HIGH), bounded);
        }
        let n = S::round(S::mul(bounded, S::splat(std::f32::consts::LOG2_E)));
        let r = multiply_add::<S, FUSED>(n, S::splat(-LN2[0]), bounded);
        let r = multiply_add::<S, FUSED>(n, S::splat(-LN2[1]), r);
        let mut sum = S::splat(TAYLOR[0]);
        for coefficient in &TAYLOR[1..] {
            sum = multiply_add::<S, FUSED>(sum, r, S::splat(*coefficient));
        }
        S::select_greater(low, x, S::splat(0.0), S::times_power_of_two(sum, n))
    }
}

#[inline(always)]
unsafe fn multiply_add<S: Simd, const FUSED: bool>(a: S::V, b: S::V, c: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe { if FUSED { S::fma(a, b, c) } else { S::add(S::mul(a, b), c) } }
}

/// `1 / (1 + e^-x)`.
///
/// # Safety
/// The level of `S` must be there.
#[inline(always)]
pub(crate) unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe {
        let one = S::splat(1.0);
        S::div(one, S::add(one, exp::<S>(S::sub(S::splat(0.0), x))))
    }
}

/// The normal distribution function of `x`, and `e^(-x^2 / 2)`.
///
/// With `z = |x| / sqrt(2)` and `t = 1 / (1 + 0.3 z)`, `erfc(z) = e^(-z^2) t P(t)` (the form of Abramowitz and Stegun
/// 1964, 7.1.26); `P` was fitted for a smallest largest relative error, 2e-8, over `0 <= z <= 10`.
///
/// # Safety
/// The level of `S` must be there.
#[inline(always)]
pub(crate) unsafe fn normal<S: Simd>(x: S::V) -> (S::V, S::V) {
    const P: [f32; 9] = [
        0.169_188,
        0.170_715_27,
        0.148_338_85,
        0.214_927_17,
        -0.094_653_14,
        0.547_723_3,
        -0.512_280_76,
        0.485_564_4,
        -0.129_523_14,
    ];
    // SAFETY: arithmetic only.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        let bell = bounded_exp::<S, false, true>(S::mul(S::mul(x, x), S::splat(-0.5)));
        let z = S::mul(S::max(S::sub(zero, x), x), S::splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = S::div(one, S::fma(z, S::splat(0.3), one));
        let mut sum = S::splat(P[8]);
        for coefficient in P[..8].iter().rev() {
            sum = S::fma(sum, t, S::splat(*coefficient));
        }
        let tail = S::mul(S::mul(S::splat(0.5), bell), S::mul(sum, t));
        (S::select_greater(x, zero, S::sub(one, tail), tail), bell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{LANES, Level, simd_fn};

    simd_fn! {
        /// # Safety
        /// `values` must be whole vectors.
        apply = apply_impl(function: usize, values: &mut [f32])
    }

    #[inline(always)]
    unsafe fn apply_impl<S: Simd>(function: usize, values: &mut [f32]) {
        for lanes in values.chunks_exact_mut(LANES) {
            // SAFETY: chunks are whole vectors.
            unsafe {
                let x = S::load(lanes.as_ptr());
                let y = match function {
                    0 => exp::<S>(x),
                    1 => sigmoid::<S>(x),
                    3 => exp_everywhere::<S>(x),
                    _ => normal::<S>(x).0,
                };
                S::store(lanes.as_mut_ptr(), y);
            }
        }
    }

    /// The largest relative error over `low .. high`.
    fn error(level: Level, function: usize, exact: impl Fn(f64) -> f64, low: f32, high: f32) -> f64 {
        let count = 1 << 16;
        let inputs: Vec<f32> = (0..count).map(|i| low + (high - low) * i as f32 / count as f32).collect();
        let mut values = inputs.clone();
        // SAFETY: the level is available.
        unsafe { apply(level, function, &mut values) };
        let relative = |(x, y): (&f32, &f32)| (f64::from(*y) / exact(f64::from(*x)) - 1.0).abs();
        inputs.iter().zip(&values).map(relative).fold(0.0, f64::max)
    }

    /// By Simpson's rule over `x - 12 .. x`, below which there is nothing.
    fn exact_normal(x: f64) -> f64 {
        let (steps, width) = (600, 12.0);
        let h = width / f64::from(steps);
        let density = |v: f64| (-0.5 * v * v).exp() / std::f64::consts::TAU.sqrt();
        let weight = |i: i32| if i == 0 || i == steps { 1.0 } else { f64::from(2 + i % 2 * 2) };
        (0..=steps).map(|i| weight(i) * density(x - width + h * f64::from(i))).sum::<f64>() * h / 3.0
    }

    #[test]
    fn errors_stay_within_their_bounds() {
        for level in Level::available() {
            assert!(error(level, 0, f64::exp, -87.0, 88.0) < 2e-7, "{level:?}");
            assert!(error(level, 3, f64::exp, -87.0, 88.0) < 2e-7, "{level:?}");
            let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
            assert!(error(level, 1, sigmoid, -80.0, 80.0) < 3e-7, "{level:?}");
            for (low, high, bound) in [(-6.0, -3.0, 1e-5), (-3.0, 4.0, 1e-6)] {
                let found = error(level, 2, exact_normal, low, high);
                assert!(found < bound, "{level:?}: {found:e} above {low}");
            }
        }
    }

    #[test]
    fn the_unfused_exponential_has_the_same_bits_at_every_level() {
        let inputs: Vec<f32> =
            (-9000..9000).map(|i| i as f32 * 0.011).chain([f32::NEG_INFINITY; 16]).collect();
        let bits = |level| {
            let mut values = inputs.clone();
            // SAFETY: the level is available.
            unsafe { apply(level, 3, &mut values) };
            values.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        };
        let wanted = bits(Level::Portable);
        for level in Level::available() {
            assert!(bits(level) == wanted, "{level:?}");
        }
    }

    #[test]
    fn far_values_end_where_they_should_and_nan_stays() {
        for level in Level::available() {
            for (function, low, high) in
                [(0, 0.0, 88f32.exp()), (1, 0.0, 1.0), (2, 0.0, 1.0), (3, 0.0, 88f32.exp())]
            {
                let mut values = [f32::NEG_INFINITY; LANES];
                (values[0], values[1], values[2]) = (f32::INFINITY, f32::NAN, -1000.0);
                // SAFETY: the level is available.
                unsafe { apply(level, function, &mut values) };
                assert!((values[0] / high - 1.0).abs() < 1e-6, "{level:?} {function}: {}", values[0]);
                assert!(values[1].is_nan(), "{level:?} {function}: {}", values[1]);
                // A sigmoid's tail ends at e^-88.
                assert!((values[2] - low).abs() < 1e-37 && (values[3] - low).abs() < 1e-37, "{function}");
            }
        }
    }
}
