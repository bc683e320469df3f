//! The gradient of the logits.

use super::input::{LossInput, ratio, sigmoid};
use super::sixteen::{Sixteen, to_rows};
use super::slopes::Slopes;
use super::sums::Sums;
use super::terms::Terms;
use super::together::Together;
use super::whole::Whole;
use crate::kernels::operand::Target;
use crate::memory::Base;
use crate::simd::{LANES, padded};
use std::ops::Range;

/// Scratch memory of one pixel: gradient, probabilities, derivatives by them.
struct Pixel {
    g: Vec<f32>,
    p: Vec<f32>,
    by_p: Vec<f32>,
}

impl Pixel {
    fn new(classes: usize) -> Self {
        let zeros = vec![0.0; classes];
        Self { g: zeros.clone(), p: zeros.clone(), by_p: zeros }
    }
}

impl LossInput<'_> {
    pub(super) fn gradient(
        &self,
        arena: Base,
        terms: &Terms,
        sums: &Sums,
        whole: &Whole,
        factor: f64,
        target: &Target,
    ) {
        let classes = self.shape.c;
        let focal_factor = |weight: f64| ratio(factor * weight, sums.focal_count(classes)) as f32;
        let slopes = Slopes {
            whole,
            nll: ratio(factor * terms.nll, sums.weights) as f32,
            smooth: ratio(factor * terms.smooth, sums.weights) as f32,
            binary: ratio(factor * terms.binary, sums.labelled * classes as f64) as f32,
            focal: terms.focal.iter().map(|&(gamma, weight)| (gamma, focal_factor(weight))).collect(),
            overlap: sums
                .overlap_slopes(terms)
                .iter()
                .map(|slope| slope.map(|s| (factor * s) as f32))
                .collect(),
            factor: factor as f32,
            total: (0..classes).map(|k| self.class_weight(k)).sum(),
        };
        self.each_chunk(|_, pixels| self.gradient_of(arena, &slopes, target, pixels));
    }

    fn gradient_of(&self, arena: Base, slopes: &Slopes<'_>, target: &Target, pixels: Range<usize>) {
        let classes = self.shape.c;
        let mut sixteen = Sixteen::new(classes);
        let mut together = Together::new(self, slopes);
        let mut g = vec![0.0f32; padded(classes) * LANES];
        let mut one = Pixel::new(classes);
        for start in pixels.clone().step_by(LANES) {
            let now = start..pixels.end.min(start + LANES);
            sixteen.fill(self, arena, now.clone());
            if together.fits {
                together.fill(self, now.clone());
                together.gradient(self.level, classes, &sixteen.p, &mut g);
            } else {
                g.fill(0.0);
                for (pixel, label) in self.labelled(now.clone()) {
                    self.of_pixel(arena, slopes, pixel, label, &sixteen, pixel - start, &mut one);
                    one.g.iter().enumerate().for_each(|(k, v)| g[k * LANES + pixel - start] = *v);
                }
            }
            self.write(arena, target, &now, &g);
        }
    }

    /// Sixteen pixels' gradients `[classes, 16]` to their places.
    fn write(&self, arena: Base, target: &Target, pixels: &Range<usize>, g: &[f32]) {
        for (block, g) in target.blocks.iter().zip(g.chunks_exact(LANES * LANES)) {
            let to = block.address(arena, self.shape.pixels()).wrapping_add(pixels.start * block.stride);
            if pixels.len() == LANES && !block.accumulate {
                // SAFETY: `address` checked the map; tasks write disjoint pixels, and these are sixteen.
                unsafe { to_rows(self.level, g.as_ptr(), to, block.stride) };
                continue;
            }
            for i in 0..pixels.len() {
                // SAFETY: as above.
                let to = unsafe { std::slice::from_raw_parts_mut(to.wrapping_add(i * block.stride), LANES) };
                for (k, to) in to.iter_mut().enumerate() {
                    let v = g[k * LANES + i];
                    *to = if block.accumulate { *to + v } else { v };
                }
            }
        }
    }

    /// The gradient of one pixel, with all kinds of losses.
    #[allow(clippy::too_many_arguments)]
    fn of_pixel(
        &self,
        arena: Base,
        slopes: &Slopes<'_>,
        pixel: usize,
        label: usize,
        sixteen: &Sixteen,
        i: usize,
        one: &mut Pixel,
    ) {
        let Pixel { g, p, by_p } = one;
        g.fill(0.0);
        p.iter_mut().enumerate().for_each(|(k, p)| *p = sixteen.of(k, i));
        let z = self.logits(arena, pixel);
        let log_sum = if p.len() == 1 || slopes.focal.is_empty() { 0.0 } else { sixteen.log_sum(i) };
        self.by_logits(slopes, pixel, label, z, log_sum, p, g);
        self.by_probabilities(slopes, pixel, label, p, by_p, g);
    }

    /// Losses of logarithms, whose derivatives by the logits have a simple form.
    #[allow(clippy::too_many_arguments)]
    fn by_logits(
        &self,
        slopes: &Slopes<'_>,
        pixel: usize,
        label: usize,
        z: &[f32],
        log_sum: f32,
        p: &[f32],
        g: &mut [f32],
    ) {
        let weight = self.pixel_weight(label);
        // Derivative by the logarithm of the truth's probability, negated.
        let mut by_nll = slopes.nll * weight;
        by_nll += slopes.whole.by_nll.get(pixel).map_or(0.0, |slope| slopes.factor * slope);
        if !slopes.focal.is_empty() {
            let log_truth = self.log_truth(z, log_sum, label);
            let (truth, miss) = (log_truth.exp(), -log_truth.exp_m1());
            for &(gamma, factor) in &slopes.focal {
                // d/d log p of -(1 - p)^gamma log p; with gamma 0 the second part is none.
                let falling = if gamma == 0.0 { 0.0 } else { gamma * miss.powf(gamma - 1.0) };
                by_nll += factor * weight * (miss.powf(gamma) - falling * truth * log_truth);
            }
        }
        if by_nll != 0.0 {
            if let [p] = *p {
                g[0] += by_nll * (p - if label == 1 { 1.0 } else { 0.0 });
            } else {
                for (k, p) in p.iter().enumerate() {
                    g[k] += by_nll * (p - if k == label { 1.0 } else { 0.0 });
                }
            }
        }
        if slopes.smooth != 0.0 {
            for (k, p) in p.iter().enumerate() {
                g[k] += slopes.smooth * (slopes.total * p - self.class_weight(k));
            }
        }
        if slopes.binary != 0.0 {
            for (k, &z) in z.iter().enumerate() {
                let (truth, weight) = self.binary_target(k, label);
                g[k] += slopes.binary * weight * (sigmoid(z) - truth);
            }
        }
        g[0] += slopes.whole.by_logit.get(pixel).map_or(0.0, |slope| slopes.factor * slope);
    }

    /// Losses of probabilities: through the softmax or the sigmoid to the logits.
    fn by_probabilities(
        &self,
        slopes: &Slopes<'_>,
        pixel: usize,
        label: usize,
        p: &[f32],
        by_p: &mut [f32],
        g: &mut [f32],
    ) {
        let classes = p.len();
        for (k, by_p) in by_p.iter_mut().enumerate() {
            *by_p = slopes.overlap[k][usize::from(self.is_truth(k, label))];
        }
        if let Some(more) = slopes.whole.by_probability.get(pixel * classes..(pixel + 1) * classes) {
            by_p.iter_mut().zip(more).for_each(|(by_p, more)| *by_p += slopes.factor * more);
        }
        if let [p] = *p {
            g[0] += by_p[0] * p * (1.0 - p);
        } else {
            let mean: f32 = by_p.iter().zip(p).map(|(by_p, p)| by_p * p).sum();
            for (k, p) in p.iter().enumerate() {
                g[k] += p * (by_p[k] - mean);
            }
        }
    }
}
