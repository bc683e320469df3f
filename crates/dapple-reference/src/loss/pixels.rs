//! Losses that add up over pixels: focal loss and hard example mining.

use super::probability::{channels, class_weight, labelled, one_hot, sigmoid, softmax, softplus};
use crate::Tensor64;
use dapple_graph::Loss;

/// `-log p` of a pixel's truth and its derivative by the logits: of the softmax or, for one channel, of the sigmoid.
fn negative_log(logits: &Tensor64, pixel: usize, label: usize) -> (f64, Vec<f64>) {
    let z = channels(logits, pixel);
    if let [z] = *z {
        let truth = one_hot(label, 1);
        return (softplus(z) - truth * z, vec![sigmoid(z) - truth]);
    }
    let p = softmax(z);
    let slope = p.iter().enumerate().map(|(k, p)| p - one_hot(k, label)).collect();
    (-p[label].ln(), slope)
}

/// The weight of a pixel of that label.
fn weight(logits: &Tensor64, loss: &Loss, label: usize) -> f64 {
    class_weight(loss, if logits.shape.c == 1 { usize::from(label == 1) } else { label })
}

/// Mean of `weight (1 - p)^gamma -log p`: over the sum of weights or, for one channel, over the pixels.
pub(super) fn focal(logits: &Tensor64, labels: &[u8], loss: &Loss, gamma: f64) -> (f64, Tensor64) {
    let mut gradient = Tensor64::zeros(logits.shape);
    let (mut sum, mut total) = (0.0, 0.0);
    for (pixel, label) in labelled(labels, loss) {
        let weight = weight(logits, loss, label);
        let (nll, slopes) = negative_log(logits, pixel, label);
        let p = (-nll).exp();
        sum += weight * (1.0 - p).powf(gamma) * nll;
        total += if logits.shape.c == 1 { 1.0 } else { weight };
        // Of (1 - p)^gamma nll by nll, p being exp(-nll).
        let slope = (1.0 - p).powf(gamma)
            + if gamma == 0.0 { 0.0 } else { gamma * (1.0 - p).powf(gamma - 1.0) * p * nll };
        for (k, by_logit) in slopes.iter().enumerate() {
            gradient.data[pixel * logits.shape.c + k] = weight * slope * by_logit;
        }
    }
    mean(sum, total, gradient)
}

/// Weighted mean of `-log p` over the share of the pixels where it is largest, the first among equals.
pub(super) fn ohem(logits: &Tensor64, labels: &[u8], loss: &Loss, keep: f64) -> (f64, Tensor64) {
    let mut all: Vec<_> = labelled(labels, loss)
        .map(|(pixel, label)| (pixel, label, negative_log(logits, pixel, label)))
        .collect();
    all.sort_by(|a, b| b.2.0.total_cmp(&a.2.0));
    all.truncate((keep * all.len() as f64).ceil() as usize);
    let mut gradient = Tensor64::zeros(logits.shape);
    let (mut sum, mut total) = (0.0, 0.0);
    for (pixel, label, (nll, slopes)) in all {
        let weight = weight(logits, loss, label);
        sum += weight * nll;
        total += weight;
        for (k, by_logit) in slopes.iter().enumerate() {
            gradient.data[pixel * logits.shape.c + k] = weight * by_logit;
        }
    }
    mean(sum, total, gradient)
}

fn mean(sum: f64, total: f64, mut gradient: Tensor64) -> (f64, Tensor64) {
    if total == 0.0 {
        return (0.0, Tensor64::zeros(gradient.shape));
    }
    gradient.data.iter_mut().for_each(|g| *g /= total);
    (sum / total, gradient)
}
