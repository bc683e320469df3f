//! Cross-entropy, binary cross-entropy and Dice.

use super::probability::{
    channels, class_weight, labelled, log_sum_exp, one_hot, sigmoid, softmax, softplus,
};
use crate::Tensor64;
use dapple_graph::{Loss, LossTerm};

/// Sum of `weight * -log softmax[label]` over sum of weights; with smoothing, the truth is spread over all classes, each
/// with its own weight.
pub(super) fn cross_entropy(
    logits: &Tensor64,
    labels: &[u8],
    loss: &Loss,
    term: &LossTerm,
) -> (f64, Tensor64) {
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
pub(super) fn binary_cross_entropy(logits: &Tensor64, labels: &[u8], loss: &Loss) -> (f64, Tensor64) {
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
pub(super) fn dice(logits: &Tensor64, labels: &[u8], loss: &Loss) -> (f64, Tensor64) {
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
