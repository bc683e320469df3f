//! Losses that need the order of a whole batch's errors: Lovász loss and hard example mining.
//!
//! Errors are read back and sorted on the host, where Burn sorts too; what comes of it are constant weights.

use super::truth::Truth;
use crate::flat::read;
use burn_tensor::{Tensor, activation};
use dapple_graph::{EngineError, order};

/// Lovász-softmax averaged over the classes that occur, or the Lovász hinge of one channel.
pub(super) fn lovasz(truth: &Truth<'_>) -> Result<Option<Tensor<1>>, EngineError> {
    let all: Vec<(usize, u8)> = truth.labelled().collect();
    if all.is_empty() {
        return Ok(None);
    }
    let c = truth.shape.c;
    // The error of each pixel and class, on the device and here.
    let errors = match c {
        1 => activation::relu(-(truth.logits.clone() * (truth.truth.clone() * 2.0 - 1.0)) + 1.0),
        _ => (truth.truth.clone() - truth.probabilities()).abs(),
    };
    let found = read(errors.clone().inner(), truth.name)?;
    let mut slopes = vec![0.0; truth.shape.len()];
    let share = 1.0 / truth.classes() as f64;
    for k in (0..c).filter(|&k| truth.occurs(k)) {
        let mut keys: Vec<u64> =
            all.iter().enumerate().map(|(i, (pixel, _))| order::key(found[pixel * c + k], i)).collect();
        keys.sort_unstable();
        order::jaccard(
            keys.into_iter().map(order::index),
            truth.occurring[k],
            |i| truth.is_truth(k, all[i].1),
            |i, slope| {
                slopes[all[i].0 * c + k] = (share * slope) as f32;
            },
        );
    }
    Ok(Some(truth.sum(errors * truth.of_pixels(slopes, c)).sum()))
}

/// Weighted mean of `-log p` over the share of the pixels where it is largest, the first among equals.
pub(super) fn hardest(truth: &Truth<'_>, keep: f32) -> Result<Option<Tensor<1>>, EngineError> {
    let all: Vec<(usize, u8)> = truth.labelled().collect();
    if all.is_empty() {
        return Ok(None);
    }
    let nll = truth.negative_log();
    let found = read(nll.clone().inner(), truth.name)?;
    let count = (f64::from(keep) * all.len() as f64).ceil() as usize;
    let count = count.clamp(1, all.len());
    // Rounding may leave a probability a little above 1.
    let key = |(i, (pixel, _)): (usize, &(usize, u8))| order::key(at_least_zero(found[*pixel]), i);
    let mut keys: Vec<u64> = all.iter().enumerate().map(key).collect();
    keys.select_nth_unstable(count - 1);
    let chosen: Vec<(usize, u8)> = keys[..count].iter().map(|&key| all[order::index(key)]).collect();
    let total: f64 = chosen.iter().map(|(_, label)| f64::from(truth.weight(*label))).sum();
    if total == 0.0 {
        return Ok(None);
    }
    let mut weights = vec![0.0; truth.labels.len()];
    for (pixel, label) in chosen {
        weights[pixel] = (f64::from(truth.weight(label)) / total) as f32;
    }
    Ok(Some(truth.sum(nll * truth.of_pixels(weights, 1)).sum()))
}

/// Not a number stays what it is.
fn at_least_zero(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}
