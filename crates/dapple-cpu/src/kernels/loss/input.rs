//! The input of a loss: one output's logits and its labels, and the formulas that several losses share.

use crate::joint::Joined;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{Level, padded};
use dapple_graph::{Loss, Shape};
use std::ops::Range;

/// Pixels of a task.
pub(super) const CHUNK: usize = 2048;

/// One output's logits with the labels.
pub(crate) struct LossInput<'a> {
    pub level: Level,
    /// Arena offset of the stored logits.
    pub logits: usize,
    pub shape: Shape,
    pub labels: &'a [u8],
    pub loss: &'a Loss,
    /// The ranks that have the other parts of the batch.
    pub joint: Option<&'a Joined>,
}

impl LossInput<'_> {
    pub(super) fn class_weight(&self, class: usize) -> f32 {
        self.loss.class_weights.as_ref().map_or(1.0, |w| w[class])
    }

    /// Truth and weight of channel `k` for binary losses.
    pub(super) fn binary_target(&self, k: usize, label: usize) -> (f32, f32) {
        if self.shape.c == 1 {
            (if label == 1 { 1.0 } else { 0.0 }, self.class_weight(usize::from(label == 1)))
        } else {
            (if label == k { 1.0 } else { 0.0 }, self.class_weight(k))
        }
    }

    /// Whether a label is the truth of channel `k`: of one channel, label 1 is.
    pub(super) fn is_truth(&self, k: usize, label: usize) -> bool {
        if self.shape.c == 1 { label == 1 } else { label == k }
    }

    /// The weight of a label's pixel.
    pub(super) fn pixel_weight(&self, label: usize) -> f32 {
        self.class_weight(if self.shape.c == 1 { usize::from(label == 1) } else { label })
    }

    pub(super) fn logits(&self, arena: Base, pixel: usize) -> &[f32] {
        let from = arena.at(self.logits + pixel * padded(self.shape.c), self.shape.c);
        // SAFETY: the range is checked by `at`; logits are only read while the loss runs.
        unsafe { std::slice::from_raw_parts(from, self.shape.c) }
    }

    /// The pixels of a run that count, with labels.
    pub(super) fn labelled(&self, pixels: Range<usize>) -> impl Iterator<Item = (usize, usize)> + '_ {
        pixels
            .filter(|&pixel| Some(self.labels[pixel]) != self.loss.ignore)
            .map(|pixel| (pixel, usize::from(self.labels[pixel])))
    }

    /// Logarithm of the probability of the truth.
    pub(super) fn log_truth(&self, z: &[f32], log_sum: f32, label: usize) -> f32 {
        match z {
            [z] => -softplus(if label == 1 { -*z } else { *z }),
            z => z[label] - log_sum,
        }
    }

    /// Calls `f` for every chunk of the pixels, in any order.
    pub(super) fn each_chunk(&self, f: impl Fn(usize, Range<usize>) + Sync) {
        let pixels = self.shape.pixels();
        parallel::for_each(pixels.div_ceil(CHUNK), |i| f(i, i * CHUNK..pixels.min((i + 1) * CHUNK)));
    }
}

/// `a / b`, and 0 where nothing was counted.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

pub(super) fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// `ln(1 + exp(z))` without overflow.
pub(super) fn softplus(z: f32) -> f32 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}
