//! Losses between logits in the arena and label maps, with their gradients. Definitions: [`LossKind`].
//!
//! Two passes over the pixels: the first takes the sums that the loss is made of, the second, if wanted, the
//! gradient. Sums are f64 over fixed chunks, added in order.

use super::operand::Target;
use crate::memory::Base;
use crate::parallel;
use crate::simd::padded;
use dapple_graph::{Loss, LossKind, Shape};
use std::ops::Range;

/// Pixels of a task.
const CHUNK: usize = 2048;

/// One output's logits with the labels.
pub(crate) struct LossInput<'a> {
    /// Arena offset of the stored logits.
    pub logits: usize,
    pub shape: Shape,
    pub labels: &'a [u8],
    pub loss: &'a Loss,
}

/// What the first pass adds up.
#[derive(Clone)]
struct Sums {
    /// Weighted cross-entropy and its weights.
    cross_entropy: f64,
    weights: f64,
    binary: f64,
    labelled: f64,
    /// Dice: intersection, probability and truth for each class.
    dice: Vec<[f64; 3]>,
}

impl Sums {
    fn new(classes: usize) -> Self {
        Self { cross_entropy: 0.0, weights: 0.0, binary: 0.0, labelled: 0.0, dice: vec![[0.0; 3]; classes] }
    }

    fn add(&mut self, other: &Self) {
        self.cross_entropy += other.cross_entropy;
        self.weights += other.weights;
        self.binary += other.binary;
        self.labelled += other.labelled;
        for (a, b) in self.dice.iter_mut().zip(&other.dice) {
            (0..3).for_each(|i| a[i] += b[i]);
        }
    }
}

/// Which kinds a loss has.
#[derive(Clone, Copy)]
struct Kinds {
    cross_entropy: f64,
    binary: f64,
    dice: f64,
}

/// Checks labels and settings against `channels` logits.
pub(crate) fn check(labels: &[u8], shape: Shape, loss: &Loss) -> Result<(), String> {
    if labels.len() != shape.pixels() {
        return Err(format!("{} labels for {} pixels of logits {shape}", labels.len(), shape.pixels()));
    }
    let classes = shape.c.max(2);
    if let Some(weights) = &loss.class_weights
        && weights.len() != classes
    {
        return Err(format!("{} class weights for {classes} classes", weights.len()));
    }
    if shape.c == 1 && loss.terms.iter().any(|t| t.kind == LossKind::CrossEntropy) {
        return Err(
            "cross-entropy needs a logit for each of two or more classes; use binary cross-entropy".into()
        );
    }
    let outside = |&label: &u8| Some(label) != loss.ignore && shape.c > 1 && usize::from(label) >= shape.c;
    match labels.iter().copied().find(outside) {
        Some(label) => {
            Err(format!("label {label} is not one of the {} classes and not the ignored label", shape.c))
        }
        None => Ok(()),
    }
}

impl LossInput<'_> {
    /// The loss; with `gradient`, that of the logits times `factor` goes there. The input must have passed
    /// [`check`].
    pub fn run(&self, arena: Base, factor: f64, gradient: Option<&Target>) -> f64 {
        let kinds = self.kinds();
        let pixels = self.shape.pixels();
        let chunks = pixels.div_ceil(CHUNK);
        let mut partial = vec![Sums::new(self.shape.c); chunks];
        {
            let slots: Vec<std::sync::Mutex<&mut Sums>> =
                partial.iter_mut().map(std::sync::Mutex::new).collect();
            parallel::for_each(chunks, |i| {
                let sums = self.sums(arena, kinds, i * CHUNK..pixels.min((i + 1) * CHUNK));
                // Each task has its own slot; a lock that was poisoned belongs to a task that panicked.
                if let Ok(mut slot) = slots[i].lock() {
                    **slot = sums;
                }
            });
        }
        let mut sums = Sums::new(self.shape.c);
        partial.iter().for_each(|p| sums.add(p));
        if let Some(target) = gradient {
            let slopes = self.dice_slopes(&sums);
            parallel::for_each(chunks, |i| {
                let run = i * CHUNK..pixels.min((i + 1) * CHUNK);
                self.gradient(arena, kinds, &sums, &slopes, factor, target, run);
            });
        }
        kinds.cross_entropy * ratio(sums.cross_entropy, sums.weights)
            + kinds.binary * ratio(sums.binary, sums.labelled * self.shape.c as f64)
            + kinds.dice * self.dice(&sums)
    }

    fn kinds(&self) -> Kinds {
        let total = |kind| -> f64 {
            self.loss.terms.iter().filter(|t| t.kind == kind).map(|t| f64::from(t.weight)).sum()
        };
        Kinds {
            cross_entropy: total(LossKind::CrossEntropy),
            binary: total(LossKind::BinaryCrossEntropy),
            dice: total(LossKind::Dice),
        }
    }

    fn class_weight(&self, class: usize) -> f32 {
        self.loss.class_weights.as_ref().map_or(1.0, |w| w[class])
    }

    /// Truth and weight of channel `k` for binary losses.
    fn binary_target(&self, k: usize, label: usize) -> (f32, f32) {
        if self.shape.c == 1 {
            (if label == 1 { 1.0 } else { 0.0 }, self.class_weight(usize::from(label == 1)))
        } else {
            (if label == k { 1.0 } else { 0.0 }, self.class_weight(k))
        }
    }

    fn logits(&self, arena: Base, pixel: usize) -> &[f32] {
        let from = arena.at(self.logits + pixel * padded(self.shape.c), self.shape.c);
        // SAFETY: the range is checked by `at`; logits are only read while the loss runs.
        unsafe { std::slice::from_raw_parts(from, self.shape.c) }
    }

    /// The pixels of a run that count, with labels.
    fn labelled(&self, pixels: Range<usize>) -> impl Iterator<Item = (usize, usize)> + '_ {
        pixels
            .filter(|&pixel| Some(self.labels[pixel]) != self.loss.ignore)
            .map(|pixel| (pixel, usize::from(self.labels[pixel])))
    }

    fn sums(&self, arena: Base, kinds: Kinds, pixels: Range<usize>) -> Sums {
        let mut sums = Sums::new(self.shape.c);
        let mut p = vec![0.0f32; self.shape.c];
        for (pixel, label) in self.labelled(pixels) {
            let z = self.logits(arena, pixel);
            sums.labelled += 1.0;
            if self.shape.c > 1 && (kinds.cross_entropy != 0.0 || kinds.dice != 0.0) {
                let log_sum = softmax(z, &mut p);
                let weight = self.class_weight(label);
                sums.cross_entropy += f64::from(weight * (log_sum - z[label]));
                sums.weights += f64::from(weight);
            }
            if kinds.binary != 0.0 {
                for (k, &z) in z.iter().enumerate() {
                    let (target, weight) = self.binary_target(k, label);
                    sums.binary += f64::from(weight * (softplus(z) - target * z));
                }
            }
            if kinds.dice != 0.0 {
                if self.shape.c == 1 {
                    p[0] = sigmoid(z[0]);
                }
                for k in 0..self.shape.c {
                    let truth = if self.shape.c == 1 { label == 1 } else { label == k };
                    let [i, total, g] = &mut sums.dice[k];
                    *total += f64::from(p[k]);
                    if truth {
                        *i += f64::from(p[k]);
                        *g += 1.0;
                    }
                }
            }
        }
        sums
    }

    /// Classes that the Dice loss is averaged over.
    fn dice_counted(&self, sums: &Sums) -> usize {
        if self.shape.c == 1 { 1 } else { sums.dice.iter().filter(|d| d[2] > 0.0).count() }
    }

    fn dice(&self, sums: &Sums) -> f64 {
        let counted = self.dice_counted(sums);
        if counted == 0 {
            return 0.0;
        }
        let score = |&[i, p, g]: &[f64; 3]| {
            if self.shape.c > 1 && g == 0.0 { 0.0 } else { (2.0 * i + 1.0) / (p + g + 1.0) }
        };
        1.0 - sums.dice.iter().map(score).sum::<f64>() / counted as f64
    }

    /// Derivative of the Dice loss by the probability of a pixel outside and inside the truth of each class.
    fn dice_slopes(&self, sums: &Sums) -> Vec<[f32; 2]> {
        let counted = self.dice_counted(sums) as f64;
        let slopes = |&[i, p, g]: &[f64; 3]| {
            if self.shape.c > 1 && g == 0.0 {
                return [0.0; 2];
            }
            let union = p + g + 1.0;
            let outside = (2.0 * i + 1.0) / (union * union) / counted;
            [outside as f32, (outside - 2.0 / union / counted) as f32]
        };
        sums.dice.iter().map(slopes).collect()
    }

    #[allow(clippy::too_many_arguments)]
    fn gradient(
        &self,
        arena: Base,
        kinds: Kinds,
        sums: &Sums,
        slopes: &[[f32; 2]],
        factor: f64,
        target: &Target,
        pixels: Range<usize>,
    ) {
        let classes = self.shape.c;
        let cross_entropy = ratio(factor * kinds.cross_entropy, sums.weights) as f32;
        let binary = ratio(factor * kinds.binary, sums.labelled * classes as f64) as f32;
        let dice = (factor * kinds.dice) as f32;
        let mut g = vec![0.0f32; padded(classes)];
        let mut p = vec![0.0f32; classes];
        for pixel in pixels {
            g.fill(0.0);
            let label = self.labels[pixel];
            if Some(label) != self.loss.ignore {
                let label = usize::from(label);
                let z = self.logits(arena, pixel);
                if classes > 1 && (kinds.cross_entropy != 0.0 || kinds.dice != 0.0) {
                    softmax(z, &mut p);
                } else {
                    p.iter_mut().zip(z).for_each(|(p, &z)| *p = sigmoid(z));
                }
                if cross_entropy != 0.0 {
                    let weight = cross_entropy * self.class_weight(label);
                    for k in 0..classes {
                        g[k] += weight * (p[k] - if k == label { 1.0 } else { 0.0 });
                    }
                }
                if binary != 0.0 {
                    for k in 0..classes {
                        let (truth, weight) = self.binary_target(k, label);
                        g[k] += binary * weight * (sigmoid(z[k]) - truth);
                    }
                }
                if dice != 0.0 && classes == 1 {
                    g[0] += dice * slopes[0][usize::from(label == 1)] * p[0] * (1.0 - p[0]);
                } else if dice != 0.0 {
                    let slope = |k: usize| slopes[k][usize::from(k == label)];
                    let mean: f32 = (0..classes).map(|k| slope(k) * p[k]).sum();
                    for k in 0..classes {
                        g[k] += dice * p[k] * (slope(k) - mean);
                    }
                }
            }
            for (block, values) in target.blocks.iter().zip(g.chunks_exact(crate::simd::LANES)) {
                let to = block.address(arena, self.shape.pixels()).wrapping_add(pixel * block.stride);
                // SAFETY: `address` checked the map; tasks write disjoint pixels.
                let to = unsafe { std::slice::from_raw_parts_mut(to, values.len()) };
                for (to, &v) in to.iter_mut().zip(values) {
                    *to = if block.accumulate { *to + v } else { v };
                }
            }
        }
    }
}

/// `a / b`, and 0 where nothing was counted.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Softmax of `z` to `p`; returns `log sum exp z`.
fn softmax(z: &[f32], p: &mut [f32]) -> f32 {
    let largest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (p, &z) in p.iter_mut().zip(z) {
        *p = (z - largest).exp();
        sum += *p;
    }
    p.iter_mut().for_each(|p| *p /= sum);
    largest + sum.ln()
}

fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// `ln(1 + exp(z))` without overflow.
fn softplus(z: f32) -> f32 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}
