//! Probabilities of sixteen pixels at a time, class by class, so that a class of all sixteen is one vector.
//!
//! Exponentials are unfused and sums run over the classes in order: the same bits at every level.

use super::input::LossInput;
use crate::kernels::elementary::exp_everywhere;
use crate::memory::Base;
use crate::simd::{LANES, Simd, padded, simd_fn};
use std::ops::Range;

/// Sixteen pixels' probabilities, and the parts of their softmax.
pub(super) struct Sixteen {
    /// `[padded classes, 16]`
    pub p: Vec<f32>,
    /// The largest logit of each pixel, and the sum of the exponentials of the distances from it (softmax only).
    largest: [f32; LANES],
    sum: [f32; LANES],
    /// The logits of the last pixels of a map, whose number is no multiple of sixteen.
    rows: Vec<f32>,
}

impl Sixteen {
    pub fn new(classes: usize) -> Self {
        let p = vec![0.0; padded(classes) * LANES];
        Self { rows: p.clone(), p, largest: [0.0; LANES], sum: [0.0; LANES] }
    }

    /// The probability of class `k` of pixel `i` of these.
    pub fn of(&self, k: usize, i: usize) -> f32 {
        self.p[k * LANES + i]
    }

    /// The excess of pixel `i`'s logits over the logarithms of their probabilities (softmax only).
    pub fn log_sum(&self, i: usize) -> f32 {
        self.largest[i] + self.sum[i].ln()
    }

    /// Computes those of some pixels, at most sixteen.
    pub fn fill(&mut self, input: &LossInput<'_>, arena: Base, pixels: Range<usize>) {
        let row = padded(input.shape.c);
        let mut from = arena.at(input.logits + pixels.start * row, pixels.len() * row).cast_const();
        if pixels.len() < LANES {
            // SAFETY: the pixels' logits were checked; they are only read while the loss runs.
            let last = unsafe { std::slice::from_raw_parts(from, pixels.len() * row) };
            self.rows[..last.len()].copy_from_slice(last);
            from = self.rows.as_ptr();
        }
        // SAFETY: sixteen rows are there, in the arena or as copies; `p` has as many columns, the rest sixteen values.
        unsafe {
            let [largest, sum] = [&mut self.largest, &mut self.sum].map(|v| v.as_mut_ptr());
            probabilities(input.level, from, input.shape.c, self.p.as_mut_ptr(), largest, sum);
        }
    }
}

simd_fn! {
    /// # Safety
    /// Sixteen rows of padded classes must stand at `from`; there must be room for them at `p`, and for sixteen values at
    /// the others.
    probabilities = probabilities_impl(from: *const f32, classes: usize, p: *mut f32, largest: *mut f32, sum: *mut f32)
}

#[inline(always)]
unsafe fn probabilities_impl<S: Simd>(
    from: *const f32,
    classes: usize,
    p: *mut f32,
    largest: *mut f32,
    sum: *mut f32,
) {
    let row = padded(classes);
    // SAFETY: the caller's promise.
    unsafe {
        for block in (0..row).step_by(LANES) {
            S::transpose(from.add(block), row, p.add(block * LANES), LANES);
        }
        let one = S::splat(1.0);
        if classes == 1 {
            let exp = exp_everywhere::<S>(S::sub(S::splat(0.0), S::load(p)));
            return S::store(p, S::div(one, S::add(one, exp)));
        }
        // A NaN is no largest value, but makes the sum one.
        let mut most = S::splat(f32::NEG_INFINITY);
        for k in 0..classes {
            most = S::max(S::load(p.add(k * LANES)), most);
        }
        let mut total = S::splat(0.0);
        for k in 0..classes {
            let p = p.add(k * LANES);
            let exp = exp_everywhere::<S>(S::sub(S::load(p), most));
            total = S::add(total, exp);
            S::store(p, exp);
        }
        for k in 0..classes {
            let p = p.add(k * LANES);
            S::store(p, S::div(S::load(p), total));
        }
        S::store(largest, most);
        S::store(sum, total);
    }
}

simd_fn! {
    /// Values `[blocks of sixteen classes, 16]` to sixteen rows at this distance.
    ///
    /// # Safety
    /// There must be as many values at `from`, and rows at `to`.
    pub(super) to_rows = to_rows_impl(from: *const f32, to: *mut f32, row: usize)
}

#[inline(always)]
unsafe fn to_rows_impl<S: Simd>(from: *const f32, to: *mut f32, row: usize) {
    // SAFETY: the caller's promise.
    unsafe { S::transpose(from, LANES, to, row) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    #[test]
    fn rows_become_columns_and_rows_again() {
        let values: Vec<f32> = (0..16 * 48).map(|i| i as f32).collect();
        for level in Level::available() {
            let (mut columns, mut rows) = (vec![0.0f32; 256], vec![0.0f32; 16 * 20]);
            // SAFETY: the level is available; sixteen rows of 48 values, of sixteen and of 20 are there.
            unsafe {
                turn(level, values.as_ptr().add(16), 48, columns.as_mut_ptr(), 16);
                turn(level, columns.as_ptr(), 16, rows.as_mut_ptr(), 20);
            }
            for (i, j) in (0..16).flat_map(|i| (0..16).map(move |j| (i, j))) {
                assert_eq!(columns[j * 16 + i], values[16 + i * 48 + j], "{level:?}");
                assert_eq!(rows[i * 20 + j], values[16 + i * 48 + j], "{level:?}");
            }
        }
    }

    /// Against `f64`, with and without whole vectors of classes, NaN and infinite distances.
    #[test]
    fn probabilities_are_those_of_the_definition_with_the_same_bits_at_every_level() {
        for classes in [1, 2, 3, 12, 16, 17, 40] {
            let row = padded(classes);
            let mut rows = vec![0.0f32; 16 * row];
            for (i, k) in (0..16).flat_map(|i| (0..classes).map(move |k| (i, k))) {
                rows[i * row + k] = ((i * 7 + k * 13) % 29) as f32 * 0.9 - 11.0;
            }
            (rows[0], rows[row]) = (f32::NAN, 200.0);
            let of = |level| {
                let mut p = vec![0.0f32; row * 16];
                let [mut largest, mut sum] = [[0.0; 16]; 2];
                // SAFETY: the level is available and all rows are there.
                unsafe {
                    probabilities(
                        level,
                        rows.as_ptr(),
                        classes,
                        p.as_mut_ptr(),
                        &raw mut largest[0],
                        &raw mut sum[0],
                    );
                }
                p
            };
            let portable = of(Level::Portable);
            for i in 1..16 {
                let z = |k: usize| f64::from(rows[i * row + k]);
                let sum: f64 = match classes {
                    1 => 1.0 + z(0).exp(),
                    _ => (0..classes).map(|k| z(k).exp()).sum(),
                };
                for k in 0..classes {
                    let wanted = z(k).exp() / sum;
                    let got = f64::from(portable[k * 16 + i]);
                    assert!(
                        (got - wanted).abs() < 1e-6 * wanted.max(1e-3),
                        "{got} for {wanted}, {classes} classes"
                    );
                }
            }
            assert!((0..classes).all(|k| portable[k * 16].is_nan()));
            let bits = |p: Vec<f32>| p.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
            let wanted = bits(portable.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect());
            for level in Level::available() {
                let p = of(level).into_iter().map(|v| if v.is_nan() { 0.0 } else { v }).collect();
                assert!(bits(p) == wanted, "{level:?}, {classes} classes");
            }
        }
    }

    simd_fn! {
        /// # Safety
        /// As [`Simd::transpose`].
        turn = turn_impl(from: *const f32, from_row: usize, to: *mut f32, to_row: usize)
    }

    #[inline(always)]
    unsafe fn turn_impl<S: Simd>(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: the caller's promise.
        unsafe { S::transpose(from, from_row, to, to_row) }
    }
}
