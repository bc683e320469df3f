//! Losses of regions: Tversky, Lovász and boundary loss.

use super::probability::{channels, labelled, one_hot, sigmoid, softmax};
use crate::Tensor64;
use dapple_graph::Loss;

/// Probabilities of a pixel: softmax, or the sigmoid of one channel.
fn probabilities(logits: &Tensor64, pixel: usize) -> Vec<f64> {
    match channels(logits, pixel) {
        [z] => vec![sigmoid(*z)],
        z => softmax(z),
    }
}

/// 1 where the pixel is of the class that channel `k` stands for.
fn truth(logits: &Tensor64, k: usize, label: usize) -> f64 {
    if logits.shape.c == 1 { one_hot(label, 1) } else { one_hot(k, label) }
}

/// Channels of the classes that occur; a single channel always counts.
fn counted(logits: &Tensor64, labels: &[u8], loss: &Loss) -> Vec<usize> {
    let occurs = |k: usize| labelled(labels, loss).any(|(_, label)| label == k);
    (0..logits.shape.c).filter(|&k| logits.shape.c == 1 || occurs(k)).collect()
}

/// The gradient by the logits from that by the probabilities.
fn through(logits: &Tensor64, by_p: &Tensor64) -> Tensor64 {
    let mut gradient = Tensor64::zeros(logits.shape);
    let c = logits.shape.c;
    for pixel in 0..logits.shape.pixels() {
        let p = probabilities(logits, pixel);
        for k in 0..c {
            for (j, p_j) in p.iter().enumerate() {
                // Derivative of probability j by logit k.
                let slope = if c == 1 { p[0] * (1.0 - p[0]) } else { p_j * (one_hot(j, k) - p[k]) };
                gradient.data[pixel * c + k] += by_p.data[pixel * c + j] * slope;
            }
        }
    }
    gradient
}

/// `1 -` mean over the classes of `(TP + ½) / (TP + alpha FP + beta FN + ½)`.
pub(super) fn tversky(
    logits: &Tensor64,
    labels: &[u8],
    loss: &Loss,
    [alpha, beta]: [f64; 2],
) -> (f64, Tensor64) {
    let mut by_p = Tensor64::zeros(logits.shape);
    let classes = counted(logits, labels, loss);
    if labelled(labels, loss).count() == 0 {
        return (0.0, by_p);
    }
    let mut value = 1.0;
    for &k in &classes {
        let (mut tp, mut fp, mut fn_) = (0.0, 0.0, 0.0);
        for (pixel, label) in labelled(labels, loss) {
            let (p, g) = (probabilities(logits, pixel)[k], truth(logits, k, label));
            tp += p * g;
            fp += p * (1.0 - g);
            fn_ += (1.0 - p) * g;
        }
        let below = tp + alpha * fp + beta * fn_ + 0.5;
        value -= (tp + 0.5) / below / classes.len() as f64;
        for (pixel, label) in labelled(labels, loss) {
            let g = truth(logits, k, label);
            let by_below = g + alpha * (1.0 - g) - beta * g;
            let slope = g / below - (tp + 0.5) * by_below / (below * below);
            by_p.data[pixel * logits.shape.c + k] -= slope / classes.len() as f64;
        }
    }
    (value, through(logits, &by_p))
}

/// The Jaccard loss of a set of mispredicted pixels (Berman et al. 2018, equation 6): mispredicted pixels over these and
/// the truth.
fn jaccard_loss(wrong: &[usize], truth: &[bool]) -> f64 {
    let outside = wrong.iter().filter(|&&i| !truth[i]).count();
    let union = truth.iter().filter(|t| **t).count() + outside;
    if union == 0 { 0.0 } else { wrong.len() as f64 / union as f64 }
}

/// The Lovász extension at the errors (equations 8 and 9) and its derivative.
fn extension(errors: &[f64], truth: &[bool]) -> (f64, Vec<f64>) {
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    let mut slopes = vec![0.0; errors.len()];
    let mut value = 0.0;
    for i in 0..order.len() {
        let slope = jaccard_loss(&order[..=i], truth) - jaccard_loss(&order[..i], truth);
        slopes[order[i]] = slope;
        value += errors[order[i]] * slope;
    }
    (value, slopes)
}

/// Lovász-softmax, or the Lovász hinge of one channel.
pub(super) fn lovasz(logits: &Tensor64, labels: &[u8], loss: &Loss) -> (f64, Tensor64) {
    let all: Vec<(usize, usize)> = labelled(labels, loss).collect();
    let c = logits.shape.c;
    let mut slopes = Tensor64::zeros(logits.shape);
    if c == 1 {
        let truth: Vec<bool> = all.iter().map(|&(_, label)| label == 1).collect();
        let sign = |i: usize| if truth[i] { 1.0 } else { -1.0 };
        let errors: Vec<f64> =
            (0..all.len()).map(|i| (1.0 - logits.data[all[i].0] * sign(i)).max(0.0)).collect();
        let (value, by_error) = extension(&errors, &truth);
        for (i, slope) in by_error.iter().enumerate() {
            if errors[i] > 0.0 {
                slopes.data[all[i].0] = -slope * sign(i);
            }
        }
        return (value, slopes);
    }
    let classes = counted(logits, labels, loss);
    let mut value = 0.0;
    for &k in &classes {
        let truth: Vec<bool> = all.iter().map(|&(_, label)| label == k).collect();
        let error = |(&(pixel, _), &truth): (&(usize, usize), &bool)| {
            (if truth { 1.0 } else { 0.0 } - probabilities(logits, pixel)[k]).abs()
        };
        let errors: Vec<f64> = all.iter().zip(&truth).map(error).collect();
        let (class, by_error) = extension(&errors, &truth);
        value += class / classes.len() as f64;
        for (i, slope) in by_error.iter().enumerate() {
            let sign = if truth[i] { -1.0 } else { 1.0 };
            slopes.data[all[i].0 * c + k] = sign * slope / classes.len() as f64;
        }
    }
    (value, through(logits, &slopes))
}

/// Mean over labelled pixels of the sum of probability times signed distance.
pub(super) fn boundary(logits: &Tensor64, labels: &[u8], loss: &Loss) -> (f64, Tensor64) {
    let (c, h, w) = (logits.shape.c, logits.shape.h, logits.shape.w);
    let all: Vec<(usize, usize)> = labelled(labels, loss).collect();
    let mut by_p = Tensor64::zeros(logits.shape);
    let mut value = 0.0;
    for &(pixel, label) in &all {
        let first = pixel / (h * w) * h * w;
        let p = probabilities(logits, pixel);
        for (k, p_k) in p.iter().enumerate() {
            let inside =
                |q: usize| Some(labels[q]) != loss.ignore && truth(logits, k, usize::from(labels[q])) == 1.0;
            // The nearest pixel of the other kind, over all of the image.
            let own = truth(logits, k, label) == 1.0;
            let position = |q: usize| ((q - first) / w, (q - first) % w);
            let squared = |q: usize| {
                let ((y, x), (v, u)) = (position(pixel), position(q));
                y.abs_diff(v).pow(2) + x.abs_diff(u).pow(2)
            };
            let nearest = (first..first + h * w).filter(|&q| inside(q) != own).map(squared).min();
            let distance = match nearest.map(|squared| (squared as f64).sqrt()) {
                None => 0.0,
                Some(distance) if own => 1.0 - distance,
                Some(distance) => distance,
            };
            value += p_k * distance / all.len() as f64;
            by_p.data[pixel * c + k] = distance / all.len() as f64;
        }
    }
    (value, through(logits, &by_p))
}
