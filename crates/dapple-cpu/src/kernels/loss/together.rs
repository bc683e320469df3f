//! The gradient of the logits of sixteen pixels at a time, for the losses that most trainings use: cross-entropy with label
//! smoothing and class weights, binary cross-entropy of one channel, hard pixels, and overlaps.

use super::input::LossInput;
use super::slopes::Slopes;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// The factors that sixteen pixels have in common, and the values of each.
pub(super) struct Together<'a> {
    /// Whether the loss has no other terms.
    pub fits: bool,
    slopes: &'a Slopes<'a>,
    /// Weight of each class, for label smoothing; empty without.
    weights: Vec<f32>,
    /// Whether some term depends on the probabilities themselves.
    overlap: bool,
    each: Each,
}

/// One value a pixel.
struct Each {
    /// Channel of the truth; negative where there is none.
    truth: [f32; LANES],
    /// Of the truth's `-log p`.
    by_nll: [f32; LANES],
    /// Of binary cross-entropy.
    binary: [f32; LANES],
    /// 1 where the pixel counts.
    counts: [f32; LANES],
}

impl<'a> Together<'a> {
    pub fn new(input: &LossInput<'_>, slopes: &'a Slopes<'a>) -> Self {
        let classes = input.shape.c;
        let fits = slopes.focal.is_empty()
            && (slopes.binary == 0.0 || classes == 1)
            && slopes.whole.by_probability.is_empty()
            && slopes.whole.by_logit.is_empty();
        let weights = match slopes.smooth {
            0.0 => Vec::new(),
            _ => (0..classes).map(|k| input.class_weight(k)).collect(),
        };
        let overlap = slopes.overlap.iter().any(|slope| *slope != [0.0; 2]);
        let zeros = [0.0; LANES];
        let each = Each { truth: zeros, by_nll: zeros, binary: zeros, counts: zeros };
        Self { fits, slopes, weights, overlap, each }
    }

    /// Takes in the labels of some pixels, at most sixteen.
    pub fn fill(&mut self, input: &LossInput<'_>, pixels: Range<usize>) {
        let (slopes, each) = (self.slopes, &mut self.each);
        each.counts = [0.0; LANES];
        for (pixel, label) in input.labelled(pixels.clone()) {
            let i = pixel - pixels.start;
            let weight = input.pixel_weight(label);
            each.counts[i] = 1.0;
            each.truth[i] = match (input.shape.c, label) {
                (1, 1) => 0.0,
                (1, _) => -1.0,
                _ => label as f32,
            };
            each.by_nll[i] = slopes.nll * weight
                + slopes.whole.by_nll.get(pixel).map_or(0.0, |slope| slopes.factor * slope);
            each.binary[i] = slopes.binary * weight;
        }
    }

    /// Gradients `[padded classes, 16]` of probabilities of the same form.
    pub fn gradient(&self, level: Level, classes: usize, p: &[f32], g: &mut [f32]) {
        assert!(p.len() >= classes * LANES && g.len() >= classes * LANES);
        // SAFETY: the vectors of all classes are there.
        unsafe { gradients(level, self, classes, p.as_ptr(), g.as_mut_ptr()) }
    }
}

simd_fn! {
    /// # Safety
    /// `p` and `g` must be valid for sixteen values of each class.
    gradients = gradients_impl(together: &Together<'_>, classes: usize, p: *const f32, g: *mut f32)
}

#[inline(always)]
unsafe fn gradients_impl<S: Simd>(together: &Together<'_>, classes: usize, p: *const f32, g: *mut f32) {
    let Together { slopes, weights, overlap, each, .. } = together;
    // SAFETY: the caller's promise; there is a weight and an overlap's slope for each class where there are any.
    unsafe {
        let (zero, one, half) = (S::splat(0.0), S::splat(1.0), S::splat(0.5));
        let truth = S::load(each.truth.as_ptr());
        let by_nll = S::load(each.by_nll.as_ptr());
        let binary = S::load(each.binary.as_ptr());
        let counts = S::load(each.counts.as_ptr());
        let mut mean = zero;
        if *overlap && classes > 1 {
            for k in 0..classes {
                let is_truth = S::where_equal(truth, S::splat(k as f32), one);
                let [outside, inside] = slopes.overlap[k];
                let by_p = S::select_greater(is_truth, half, S::splat(inside), S::splat(outside));
                mean = S::add(mean, S::mul(by_p, S::load(p.add(k * LANES))));
            }
        }
        for k in 0..classes {
            let p = S::load(p.add(k * LANES));
            let is_truth = S::where_equal(truth, S::splat(k as f32), one);
            let miss = S::sub(p, is_truth);
            let mut sum = S::mul(by_nll, miss);
            if let Some(weight) = weights.get(k) {
                let distance = S::sub(S::mul(S::splat(slopes.total), p), S::splat(*weight));
                sum = S::add(sum, S::mul(S::splat(slopes.smooth), distance));
            }
            if slopes.binary != 0.0 {
                sum = S::add(sum, S::mul(binary, miss));
            }
            if *overlap {
                let [outside, inside] = slopes.overlap[k];
                let by_p = S::select_greater(is_truth, half, S::splat(inside), S::splat(outside));
                let more = match classes {
                    1 => S::mul(S::mul(by_p, p), S::sub(one, p)),
                    _ => S::mul(p, S::sub(by_p, mean)),
                };
                sum = S::add(sum, more);
            }
            S::store(g.add(k * LANES), S::where_greater(counts, zero, sum));
        }
    }
}
