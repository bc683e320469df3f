//! The gradient of the logits.

use super::input::{LossInput, ratio, sigmoid};
use super::sums::Sums;
use super::terms::Terms;
use super::whole::Whole;
use crate::kernels::operand::Target;
use crate::memory::Base;
use crate::simd::{LANES, padded};
use std::ops::Range;

/// Everything that a pixel's gradient is made of.
struct Slopes<'a> {
    whole: &'a Whole,
    /// Factors of the truth's and of all classes' `-log p`.
    nll: f32,
    smooth: f32,
    binary: f32,
    /// Exponent and factor.
    focal: Vec<(f32, f32)>,
    /// By the probability, outside and inside the truth of each class.
    overlap: Vec<[f32; 2]>,
    /// Of `whole`.
    factor: f32,
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
        };
        self.each_chunk(|_, pixels| self.gradient_of(arena, &slopes, target, pixels));
    }

    fn gradient_of(&self, arena: Base, slopes: &Slopes<'_>, target: &Target, pixels: Range<usize>) {
        let classes = self.shape.c;
        let mut g = vec![0.0f32; padded(classes)];
        let mut p = vec![0.0f32; classes];
        let mut by_p = vec![0.0f32; classes];
        for pixel in pixels {
            g.fill(0.0);
            let label = self.labels[pixel];
            if Some(label) != self.loss.ignore {
                let label = usize::from(label);
                let z = self.logits(arena, pixel);
                let log_sum = self.probabilities(z, &mut p);
                self.by_logits(slopes, pixel, label, z, log_sum, &p, &mut g);
                self.by_probabilities(slopes, pixel, label, &p, &mut by_p, &mut g);
            }
            for (block, values) in target.blocks.iter().zip(g.chunks_exact(LANES)) {
                let to = block.address(arena, self.shape.pixels()).wrapping_add(pixel * block.stride);
                // SAFETY: `address` checked the map; tasks write disjoint pixels.
                let to = unsafe { std::slice::from_raw_parts_mut(to, values.len()) };
                for (to, &v) in to.iter_mut().zip(values) {
                    *to = if block.accumulate { *to + v } else { v };
                }
            }
        }
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
            let total: f32 = (0..p.len()).map(|k| self.class_weight(k)).sum();
            for (k, p) in p.iter().enumerate() {
                g[k] += slopes.smooth * (total * p - self.class_weight(k));
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
