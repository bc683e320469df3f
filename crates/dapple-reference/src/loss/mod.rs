//! Losses between logits and label maps, with their gradients.

mod pixels;
mod regions;

use crate::Tensor64;
use dapple_graph::{Loss, LossError, LossKind, LossTerm};

/// The sum over all outputs and terms, with the gradient of each output. `labels` is `[n, h, w]`.
///
/// A batch without a labelled pixel has loss 0. For one channel, label 1 stands against every other label,
/// and there are two class weights: that of the rest and that of label 1. Dice has no class weights.
///
/// # Errors
/// As [`Loss::check`].
pub fn loss(outputs: &[Tensor64], labels: &[u8], loss: &Loss) -> Result<(f64, Vec<Tensor64>), LossError> {
    let mut total = 0.0;
    let mut gradients = Vec::new();
    for (i, logits) in outputs.iter().enumerate() {
        loss.check(labels, logits.shape)?;
        let mut gradient = Tensor64::zeros(logits.shape);
        for term in &loss.terms {
            let factor = f64::from(loss.output_weight(i)) * f64::from(term.weight);
            let (value, mut part) = match term.kind {
                LossKind::CrossEntropy => cross_entropy(logits, labels, loss, term),
                LossKind::BinaryCrossEntropy => binary_cross_entropy(logits, labels, loss),
                LossKind::Dice => dice(logits, labels, loss),
                LossKind::Focal => pixels::focal(logits, labels, loss, f64::from(term.gamma())),
                LossKind::Ohem => pixels::ohem(logits, labels, loss, f64::from(term.keep())),
                LossKind::Tversky => regions::tversky(logits, labels, loss, term.tversky().map(f64::from)),
                LossKind::Lovasz => regions::lovasz(logits, labels, loss),
                LossKind::Boundary => regions::boundary(logits, labels, loss),
            };
            total += factor * value;
            part.data.iter_mut().for_each(|g| *g *= factor);
            gradient.accumulate(&part);
        }
        gradients.push(gradient);
    }
    Ok((total, gradients))
}

/// Sum of `weight * -log softmax[label]` over sum of weights; with smoothing, the truth is spread over all classes, each
/// with its own weight.
fn cross_entropy(logits: &Tensor64, labels: &[u8], loss: &Loss, term: &LossTerm) -> (f64, Tensor64) {
    let (mut sum, mut weights) = (0.0, 0.0);
    let smoothing = f64::from(term.smoothing());
    let mut gradient = Tensor64::zeros(logits.shape);
    for (pixel, label) in labelled(labels, loss) {
        let z = channels(logits, pixel);
        let p = softmax(z);
        weights += class_weight(loss, label);
        for target in 0..z.len() {
            let truth = (1.0 - smoothing) * one_hot(target, label) + smoothing / z.len() as f64;
            let weight = truth * class_weight(loss, target);
            sum += weight * (log_sum_exp(z) - z[target]);
            for (k, p) in p.iter().enumerate() {
                gradient.data[pixel * z.len() + k] += weight * (p - one_hot(k, target));
            }
        }
    }
    if weights == 0.0 {
        return (0.0, Tensor64::zeros(logits.shape));
    }
    gradient.data.iter_mut().for_each(|g| *g /= weights);
    (sum / weights, gradient)
}

/// Mean of `weight * (log(1 + exp(z)) - target z)` over labelled pixels and channels.
fn binary_cross_entropy(logits: &Tensor64, labels: &[u8], loss: &Loss) -> (f64, Tensor64) {
    let count = (labelled(labels, loss).count() * logits.shape.c).max(1) as f64;
    let mut sum = 0.0;
    let mut gradient = Tensor64::zeros(logits.shape);
    for (pixel, label) in labelled(labels, loss) {
        let z = channels(logits, pixel);
        for (k, &z_k) in z.iter().enumerate() {
            let (target, weight) = match z.len() {
                1 => (one_hot(label, 1), class_weight(loss, usize::from(label == 1))),
                _ => (one_hot(k, label), class_weight(loss, k)),
            };
            sum += weight * (softplus(z_k) - target * z_k);
            gradient.data[pixel * z.len() + k] = weight * (sigmoid(z_k) - target) / count;
        }
    }
    (sum / count, gradient)
}

/// `1 -` mean over the classes that occur of `(2 I + 1) / (P + G + 1)`.
fn dice(logits: &Tensor64, labels: &[u8], loss: &Loss) -> (f64, Tensor64) {
    let classes = logits.shape.c;
    let probabilities = |pixel| match classes {
        1 => vec![sigmoid(logits.data[pixel])],
        _ => softmax(channels(logits, pixel)),
    };
    let target = |k, label| if classes == 1 { one_hot(label, 1) } else { one_hot(k, label) };
    let (mut i, mut p, mut g) = (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
    for (pixel, label) in labelled(labels, loss) {
        for (k, probability) in probabilities(pixel).into_iter().enumerate() {
            i[k] += probability * target(k, label);
            p[k] += probability;
            g[k] += target(k, label);
        }
    }
    let counted: Vec<usize> = (0..classes).filter(|&k| classes == 1 || g[k] > 0.0).collect();
    let mut gradient = Tensor64::zeros(logits.shape);
    if counted.is_empty() {
        return (0.0, gradient);
    }
    let count = counted.len() as f64;
    let score: f64 = counted.iter().map(|&k| (2.0 * i[k] + 1.0) / (p[k] + g[k] + 1.0)).sum();
    for (pixel, label) in labelled(labels, loss) {
        let probability = probabilities(pixel);
        // Derivative of the loss by each probability ...
        let mut by_p = vec![0.0; classes];
        for &k in &counted {
            let union = p[k] + g[k] + 1.0;
            by_p[k] = -(2.0 * target(k, label) * union - (2.0 * i[k] + 1.0)) / (union * union) / count;
        }
        // ... and from there by the logits, through the sigmoid or the softmax.
        let mean: f64 = by_p.iter().zip(&probability).map(|(d, p)| d * p).sum();
        for k in 0..classes {
            let through = if classes == 1 { by_p[k] * (1.0 - probability[k]) } else { by_p[k] - mean };
            gradient.data[pixel * classes + k] = probability[k] * through;
        }
    }
    (1.0 - score / count, gradient)
}

/// Pixels that count, with their labels.
fn labelled<'a>(labels: &'a [u8], loss: &'a Loss) -> impl Iterator<Item = (usize, usize)> + 'a {
    let counted = labels.iter().enumerate().filter(|(_, label)| Some(**label) != loss.ignore);
    counted.map(|(pixel, &label)| (pixel, usize::from(label)))
}

fn channels(logits: &Tensor64, pixel: usize) -> &[f64] {
    &logits.data[pixel * logits.shape.c..(pixel + 1) * logits.shape.c]
}

fn class_weight(loss: &Loss, class: usize) -> f64 {
    loss.class_weights.as_ref().map_or(1.0, |w| f64::from(w[class]))
}

fn one_hot(k: usize, label: usize) -> f64 {
    if k == label { 1.0 } else { 0.0 }
}

fn log_sum_exp(z: &[f64]) -> f64 {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + z.iter().map(|v| (v - largest).exp()).sum::<f64>().ln()
}

fn softmax(z: &[f64]) -> Vec<f64> {
    let total = log_sum_exp(z);
    z.iter().map(|v| (v - total).exp()).collect()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// `log(1 + exp(z))` without overflow.
fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}
