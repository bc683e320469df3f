//! Losses that need the order of a whole batch's errors, or the distances within its images.

use super::input::{CHUNK, LossInput, ratio};
use super::sixteen::Sixteen;
use super::terms::Terms;
use crate::joint::Joined;
use crate::memory::Base;
use crate::simd::LANES;
use dapple_graph::order::{self, index, key};
use dapple_graph::signed_distance;
use rayon::prelude::*;
use std::ops::Range;

/// The share of these losses in the value and, for each pixel, in the gradient; empty where no term needs it.
#[derive(Default)]
pub(super) struct Whole {
    pub value: f64,
    /// By the probability, `[n, h, w, k]`.
    pub by_probability: Vec<f32>,
    /// By a single channel's logit, `[n, h, w]`.
    pub by_logit: Vec<f32>,
    /// By the truth's `-log p`, `[n, h, w]`.
    pub by_nll: Vec<f32>,
}

impl Whole {
    pub fn new(input: &LossInput<'_>, arena: Base, terms: &Terms) -> Self {
        let mut whole = Self::default();
        if !terms.whole() {
            return whole; // Before anything is gathered: most losses end here, for every batch.
        }
        let all: Vec<(usize, usize)> = input.labelled(0..input.shape.pixels()).collect();
        if all.is_empty() && input.joint.is_none() {
            return whole;
        }
        let own = Pixels::new(input, arena, all);
        if terms.ordered() {
            match input.joint.and_then(|joint| own.of_all_ranks(joint)) {
                Some((pixels, part)) => {
                    whole.ordered(&pixels, terms);
                    whole.cut(part, pixels.channels);
                }
                None => whole.ordered(&own, terms),
            }
        }
        if terms.boundary != 0.0 {
            let mut sums = [own.labelled.len() as f64, 0.0];
            if let Some(joint) = input.joint {
                joint.sum(&mut sums);
            }
            sums[1] = whole.boundary(&own, terms.boundary, sums[0]);
            if let Some(joint) = input.joint {
                joint.sum(&mut sums[1..]);
            }
            whole.value += sums[1];
        }
        whole
    }

    /// The losses that need the order of the pixels.
    fn ordered(&mut self, pixels: &Pixels, terms: &Terms) {
        if pixels.labelled.is_empty() {
            return;
        }
        if terms.lovasz != 0.0 {
            self.lovasz(pixels, terms.lovasz);
        }
        for &(keep, weight) in &terms.ohem {
            self.hardest(pixels, keep, weight);
        }
    }

    /// Keeps the gradients of some of the pixels.
    fn cut(&mut self, part: Range<usize>, channels: usize) {
        let keep = |slopes: &mut Vec<f32>, part: Range<usize>| {
            if !slopes.is_empty() {
                *slopes = slopes[part].to_vec();
            }
        };
        keep(&mut self.by_probability, part.start * channels..part.end * channels);
        keep(&mut self.by_logit, part.clone());
        keep(&mut self.by_nll, part);
    }

    /// Lovász-softmax, or the hinge for one channel.
    fn lovasz(&mut self, pixels: &Pixels, weight: f64) {
        let Pixels { labelled, channels, .. } = pixels;
        let pixel_count = pixels.nll.len();
        if *channels == 1 {
            let sign = |label| if label == 1 { 1.0 } else { -1.0 };
            // Below zero nothing counts; NaN stays NaN.
            let hinge = |i: usize| {
                let (pixel, label) = labelled[i];
                let error = 1.0 - pixels.logits[pixel] * sign(label);
                if error < 0.0 { 0.0 } else { error }
            };
            let slopes = &mut self.by_logit;
            slopes.resize(pixel_count, 0.0);
            self.value += weight
                * jaccard(
                    labelled,
                    hinge,
                    |label| label == 1,
                    |i, slope, error| {
                        let (pixel, label) = labelled[i];
                        if error > 0.0 {
                            slopes[pixel] -= (weight * slope) as f32 * sign(label);
                        }
                    },
                );
            return;
        }
        let counted: Vec<usize> =
            (0..*channels).filter(|&k| labelled.iter().any(|&(_, label)| label == k)).collect();
        let slopes = &mut self.by_probability;
        slopes.resize(pixel_count * channels, 0.0);
        let share = weight / counted.len() as f64;
        for k in counted {
            let error = |i: usize| {
                let (pixel, label) = labelled[i];
                let p = pixels.probabilities[pixel * channels + k];
                if label == k { 1.0 - p } else { p }
            };
            self.value += share
                * jaccard(
                    labelled,
                    error,
                    |label| label == k,
                    |i, slope, _| {
                        let (pixel, label) = labelled[i];
                        let sign = if label == k { -1.0 } else { 1.0 };
                        slopes[pixel * channels + k] += (share * slope) as f32 * sign;
                    },
                );
        }
    }

    /// `count` are the labelled pixels of the whole batch. Returns these pixels' share of the loss.
    fn boundary(&mut self, pixels: &Pixels, weight: f64, count: f64) -> f64 {
        let Pixels { input, labelled, channels, .. } = pixels;
        let (h, w) = (input.shape.h, input.shape.w);
        let maps: Vec<Vec<f32>> = (0..input.shape.n * channels)
            .into_par_iter()
            .map(|i| {
                let (image, k) = (i / channels, i % channels);
                let labels = &input.labels[image * h * w..(image + 1) * h * w];
                let counts = |label: u8| Some(label) != input.loss.ignore;
                let inside = |&label: &u8| counts(label) && input.is_truth(k, usize::from(label));
                signed_distance(&labels.iter().map(inside).collect::<Vec<_>>(), h, w)
            })
            .collect();
        let share = ratio(weight, count);
        let mut value = 0.0;
        self.by_probability.resize(input.shape.pixels() * channels, 0.0);
        for &(pixel, _) in labelled {
            for k in 0..*channels {
                let distance = maps[pixel / (h * w) * channels + k][pixel % (h * w)];
                let at = pixel * channels + k;
                self.by_probability[at] += (share * f64::from(distance)) as f32;
                value += share * f64::from(distance) * f64::from(pixels.probabilities[at]);
            }
        }
        value
    }

    /// Cross-entropy of the pixels with the largest one.
    fn hardest(&mut self, pixels: &Pixels, keep: f32, weight: f64) {
        let Pixels { input, labelled, .. } = pixels;
        let count = (f64::from(keep) * labelled.len() as f64).ceil() as usize;
        let count = count.clamp(1, labelled.len());
        let mut keys: Vec<u64> = (0..labelled.len()).map(|i| key(pixels.nll[labelled[i].0], i)).collect();
        keys.select_nth_unstable(count - 1);
        let mut chosen: Vec<usize> = keys[..count].iter().map(|&key| index(key)).collect();
        chosen.sort_unstable();
        let weight_of = |i: usize| f64::from(input.pixel_weight(labelled[i].1));
        let weights: f64 = chosen.iter().map(|&i| weight_of(i)).sum();
        let sum: f64 = chosen.iter().map(|&i| weight_of(i) * f64::from(pixels.nll[labelled[i].0])).sum();
        self.value += weight * ratio(sum, weights);
        self.by_nll.resize(pixels.nll.len(), 0.0);
        for i in chosen {
            self.by_nll[labelled[i].0] += ratio(weight * weight_of(i), weights) as f32;
        }
    }
}

/// The pixels as these losses read them.
struct Pixels<'a> {
    input: &'a LossInput<'a>,
    /// Pixels that count, with labels.
    labelled: Vec<(usize, usize)>,
    channels: usize,
    /// Of the first channel.
    logits: Vec<f32>,
    /// `[n, h, w, k]`
    probabilities: Vec<f32>,
    /// `-log p` of the truth.
    nll: Vec<f32>,
}

impl<'a> Pixels<'a> {
    fn new(input: &'a LossInput<'a>, arena: Base, labelled: Vec<(usize, usize)>) -> Self {
        let channels = input.shape.c;
        let pixels = input.shape.pixels();
        let mut probabilities = vec![0.0; pixels * channels];
        let mut logits = vec![0.0; pixels];
        let mut nll = vec![0.0; pixels];
        let places = probabilities.par_chunks_mut(CHUNK * channels);
        let places = places.zip(logits.par_chunks_mut(CHUNK)).zip(nll.par_chunks_mut(CHUNK));
        places.enumerate().for_each(|(chunk, ((p, first), nll))| {
            let mut sixteen = Sixteen::new(channels);
            for start in (0..nll.len()).step_by(LANES) {
                let now = start..nll.len().min(start + LANES);
                let pixels = chunk * CHUNK + now.start..chunk * CHUNK + now.end;
                sixteen.fill(input, arena, pixels.clone());
                for (i, pixel) in pixels.enumerate() {
                    let at = start + i;
                    let p = &mut p[at * channels..(at + 1) * channels];
                    p.iter_mut().enumerate().for_each(|(k, p)| *p = sixteen.of(k, i));
                    let label = input.labels[pixel];
                    if Some(label) == input.loss.ignore {
                        continue;
                    }
                    let z = input.logits(arena, pixel);
                    let log_sum = if channels == 1 { 0.0 } else { sixteen.log_sum(i) };
                    first[at] = z[0];
                    // Rounding may leave a probability a little above one.
                    nll[at] = (-input.log_truth(z, log_sum, usize::from(label))).max(0.0);
                    if z.iter().any(|z| z.is_nan()) {
                        nll[at] = f32::NAN;
                    }
                }
            }
        });
        Self { input, labelled, channels, logits, probabilities, nll }
    }

    /// The pixels of the whole batch, in the order of the ranks, and the place of these among them. `None` after a failure.
    fn of_all_ranks(&self, joint: &Joined) -> Option<(Self, Range<usize>)> {
        let Self { input, channels, .. } = *self;
        // Labels, logits, errors, probabilities.
        let floats = [&self.logits, &self.nll, &self.probabilities];
        let floats = floats.into_iter().flatten().flat_map(|value| value.to_le_bytes());
        let bytes: Vec<u8> = input.labels.iter().copied().chain(floats).collect();
        let (all, rank) = joint.gather(&bytes)?;
        let mut joined = Self {
            input,
            labelled: Vec::new(),
            channels,
            logits: Vec::new(),
            probabilities: Vec::new(),
            nll: Vec::new(),
        };
        let mut part = 0..0;
        for (number, bytes) in all.iter().enumerate() {
            let count = bytes.len() / (1 + 4 * (2 + channels));
            let begin = joined.nll.len();
            if number == rank {
                part = begin..begin + count;
            }
            let (labels, floats) = bytes.split_at(count);
            let counts = labels.iter().enumerate().filter(|(_, label)| Some(**label) != input.loss.ignore);
            joined.labelled.extend(counts.map(|(at, label)| (begin + at, usize::from(*label))));
            let mut values = floats.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            joined.logits.extend(values.by_ref().take(count));
            joined.nll.extend(values.by_ref().take(count));
            joined.probabilities.extend(values);
        }
        Some((joined, part))
    }
}

/// The Lovász extension of the Jaccard loss at the errors of the labelled pixels, none below 0: `slope` hears the index,
/// the derivative and the error of each.
fn jaccard(
    labelled: &[(usize, usize)],
    error: impl Fn(usize) -> f32 + Sync,
    truth: impl Fn(usize) -> bool,
    mut slope: impl FnMut(usize, f64, f32),
) -> f64 {
    let mut keys: Vec<u64> = (0..labelled.len()).into_par_iter().map(|i| key(error(i), i)).collect();
    keys.par_sort_unstable();
    let all = labelled.iter().filter(|&&(_, label)| truth(label)).count();
    let mut value = 0.0;
    order::jaccard(
        keys.into_iter().map(index),
        all,
        |i| truth(labelled[i].1),
        |i, derivative| {
            let error = error(i);
            value += f64::from(error) * derivative;
            slope(i, derivative, error);
        },
    );
    value
}
