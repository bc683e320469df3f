//! The sums over pixels that most losses are made of.

use super::input::{LossInput, ratio, softplus};
use super::sixteen::Sixteen;
use super::terms::{Overlap, Terms};
use crate::joint::Joined;
use crate::memory::Base;
use crate::simd::LANES;
use std::ops::Range;
use std::sync::Mutex;

/// The sums of the first pass.
#[derive(Clone)]
pub(super) struct Sums {
    /// Weighted `-log p` of the truth, that of all classes, and the truth's weights.
    pub nll: f64,
    pub smooth: f64,
    pub weights: f64,
    pub binary: f64,
    pub labelled: f64,
    /// Of each exponent, weighted.
    pub focal: Vec<f64>,
    /// Intersection, probability and truth of each class.
    pub overlap: Vec<[f64; 3]>,
}

impl Sums {
    fn new(channels: usize, terms: &Terms) -> Self {
        Self {
            nll: 0.0,
            smooth: 0.0,
            weights: 0.0,
            binary: 0.0,
            labelled: 0.0,
            focal: vec![0.0; terms.focal.len()],
            overlap: vec![[0.0; 3]; channels],
        }
    }

    fn add(&mut self, other: &Self) {
        self.nll += other.nll;
        self.smooth += other.smooth;
        self.weights += other.weights;
        self.binary += other.binary;
        self.labelled += other.labelled;
        self.focal.iter_mut().zip(&other.focal).for_each(|(a, b)| *a += b);
        for (a, b) in self.overlap.iter_mut().zip(&other.overlap) {
            (0..3).for_each(|i| a[i] += b[i]);
        }
    }

    /// Adds those of all ranks.
    pub fn join(&mut self, joint: &Joined) {
        let five = [&mut self.nll, &mut self.smooth, &mut self.weights, &mut self.binary, &mut self.labelled];
        let places: Vec<&mut f64> =
            five.into_iter().chain(&mut self.focal).chain(self.overlap.as_flattened_mut()).collect();
        let mut values: Vec<f64> = places.iter().map(|place| **place).collect();
        joint.sum(&mut values);
        places.into_iter().zip(values).for_each(|(place, value)| *place = value);
    }

    /// The loss of the terms that are made of these sums.
    pub fn value(&self, terms: &Terms, channels: usize) -> f64 {
        let focal = terms.focal.iter().zip(&self.focal);
        ratio(terms.nll * self.nll + terms.smooth * self.smooth, self.weights)
            + terms.binary * ratio(self.binary, self.labelled * channels as f64)
            + focal.map(|((_, weight), sum)| weight * ratio(*sum, self.focal_count(channels))).sum::<f64>()
            + terms.overlaps.iter().map(|overlap| overlap.weight * self.overlap(overlap)).sum::<f64>()
    }

    /// The divisor of focal losses: that of cross-entropy or of binary cross-entropy.
    pub fn focal_count(&self, channels: usize) -> f64 {
        if channels == 1 { self.labelled } else { self.weights }
    }

    /// Classes that overlaps are averaged over.
    fn counted(&self) -> usize {
        if self.overlap.len() == 1 { 1 } else { self.overlap.iter().filter(|d| d[2] > 0.0).count() }
    }

    fn counts(&self, class: &[f64; 3]) -> bool {
        self.overlap.len() == 1 || class[2] > 0.0
    }

    fn overlap(&self, overlap: &Overlap) -> f64 {
        let counted = self.counted();
        // Without a labelled pixel there is nothing to overlap.
        if counted == 0 || self.labelled == 0.0 {
            return 0.0;
        }
        let score = |class| {
            let (numerator, union) = overlap.parts(class);
            numerator / union
        };
        let scores = self.overlap.iter().filter(|class| self.counts(class)).map(score);
        1.0 - scores.sum::<f64>() / counted as f64
    }

    /// Derivative of all overlap losses, weighted, by the probability of a pixel outside and inside the truth of each
    /// class.
    pub fn overlap_slopes(&self, terms: &Terms) -> Vec<[f64; 2]> {
        let counted = self.counted() as f64;
        let slopes = |class| {
            let mut sum = [0.0; 2];
            for overlap in terms.overlaps.iter().filter(|_| self.counts(class)) {
                let (numerator, union) = overlap.parts(class);
                let by_union = overlap.weight * numerator / (union * union) / counted;
                sum[0] += by_union * overlap.alpha;
                sum[1] += by_union * (1.0 - overlap.beta) - overlap.weight / union / counted;
            }
            sum
        };
        self.overlap.iter().map(slopes).collect()
    }
}

impl Overlap {
    /// Numerator and denominator of a class's index.
    fn parts(&self, &[i, p, g]: &[f64; 3]) -> (f64, f64) {
        (i + 0.5, i + self.alpha * (p - i) + self.beta * (g - i) + 0.5)
    }
}

impl LossInput<'_> {
    pub(super) fn sums(&self, arena: Base, terms: &Terms) -> Sums {
        let chunks = self.shape.pixels().div_ceil(super::input::CHUNK);
        let mut partial = vec![Sums::new(self.shape.c, terms); chunks];
        let slots: Vec<Mutex<&mut Sums>> = partial.iter_mut().map(Mutex::new).collect();
        self.each_chunk(|i, pixels| {
            let sums = self.sums_of(arena, terms, pixels);
            // Each task has its own slot; a lock that was poisoned belongs to a task that panicked.
            if let Ok(mut slot) = slots[i].lock() {
                **slot = sums;
            }
        });
        drop(slots);
        let mut sums = Sums::new(self.shape.c, terms);
        partial.iter().for_each(|p| sums.add(p));
        sums
    }

    fn sums_of(&self, arena: Base, terms: &Terms, pixels: Range<usize>) -> Sums {
        let mut sums = Sums::new(self.shape.c, terms);
        let mut sixteen = Sixteen::new(self.shape.c);
        let probabilities = terms.cross_entropy() || !terms.overlaps.is_empty() || !terms.focal.is_empty();
        for start in pixels.clone().step_by(LANES) {
            let now = start..pixels.end.min(start + LANES);
            if probabilities {
                sixteen.fill(self, arena, now.clone());
            }
            for (pixel, label) in self.labelled(now) {
                let z = self.logits(arena, pixel);
                sums.labelled += 1.0;
                if terms.binary != 0.0 {
                    for (k, &z) in z.iter().enumerate() {
                        let (target, weight) = self.binary_target(k, label);
                        sums.binary += f64::from(weight * (softplus(z) - target * z));
                    }
                }
                if probabilities {
                    self.add_pixel(&mut sums, terms, z, label, &sixteen, pixel - start);
                }
            }
        }
        sums
    }

    /// Adds pixel `i` of sixteen to the sums that are made of probabilities.
    fn add_pixel(
        &self,
        sums: &mut Sums,
        terms: &Terms,
        z: &[f32],
        label: usize,
        sixteen: &Sixteen,
        i: usize,
    ) {
        let log_sum = if z.len() == 1 { 0.0 } else { sixteen.log_sum(i) };
        let log_truth = self.log_truth(z, log_sum, label);
        let weight = self.pixel_weight(label);
        sums.weights += f64::from(weight);
        sums.nll -= f64::from(weight * log_truth);
        if terms.smooth != 0.0 {
            let all = z.iter().enumerate().map(|(k, &z)| self.class_weight(k) * (log_sum - z));
            sums.smooth += f64::from(all.sum::<f32>());
        }
        for ((gamma, _), sum) in terms.focal.iter().zip(&mut sums.focal) {
            let miss = -log_truth.exp_m1();
            *sum -= f64::from(weight * miss.powf(*gamma) * log_truth);
        }
        if !terms.overlaps.is_empty() {
            for (k, [inside, total, truth]) in sums.overlap.iter_mut().enumerate() {
                let p = f64::from(sixteen.of(k, i));
                *total += p;
                if self.is_truth(k, label) {
                    *inside += p;
                    *truth += 1.0;
                }
            }
        }
    }
}
