//! Labelled pixels, class weights and probabilities: the helpers of all losses.

use crate::Tensor64;
use dapple_graph::Loss;

/// Pixels that count, with their labels.
pub(super) fn labelled<'a>(labels: &'a [u8], loss: &'a Loss) -> impl Iterator<Item = (usize, usize)> + 'a {
    let counted = labels.iter().enumerate().filter(|(_, label)| Some(**label) != loss.ignore);
    counted.map(|(pixel, &label)| (pixel, usize::from(label)))
}

pub(super) fn channels(logits: &Tensor64, pixel: usize) -> &[f64] {
    &logits.data[pixel * logits.shape.c..(pixel + 1) * logits.shape.c]
}

pub(super) fn class_weight(loss: &Loss, class: usize) -> f64 {
    loss.class_weights.as_ref().map_or(1.0, |w| f64::from(w[class]))
}

pub(super) fn one_hot(k: usize, label: usize) -> f64 {
    if k == label { 1.0 } else { 0.0 }
}

pub(super) fn log_sum_exp(z: &[f64]) -> f64 {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + z.iter().map(|v| (v - largest).exp()).sum::<f64>().ln()
}

pub(super) fn softmax(z: &[f64]) -> Vec<f64> {
    let total = log_sum_exp(z);
    z.iter().map(|v| (v - total).exp()).collect()
}

pub(super) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// `log(1 + exp(z))` without overflow.
pub(super) fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}
