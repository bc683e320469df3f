//! Losses of regions: Dice, Tversky and boundary loss.

use super::truth::Truth;
use crate::flat::upload;
use burn_tensor::Tensor;
use dapple_graph::signed_distances;

/// `1 -` the mean over classes of `(I + ½) / (I + alpha (P - I) + beta (G - I) + ½)`; Dice is that of ½ and ½.
pub(super) fn overlap(truth: &Truth<'_>, [alpha, beta]: [f32; 2]) -> Option<Tensor<1>> {
    if truth.labelled == 0 {
        return None;
    }
    let (c, classes) = (truth.shape.c, truth.classes());
    let probabilities = truth.probabilities();
    let both = truth.sum(probabilities.clone() * truth.truth.clone());
    let predicted = truth.sum(probabilities * truth.counted.clone());
    let real = |f: &dyn Fn(usize) -> f64| upload((0..c).map(|k| f(k) as f32).collect(), [c], truth.device);
    let missed = real(&|k| f64::from(beta) * truth.occurring[k] as f64 + 0.5);
    let below = both.clone() * (1.0 - alpha - beta) + predicted * alpha + missed;
    let shares = real(&|k| if truth.occurs(k) { 1.0 / classes as f64 } else { 0.0 });
    Some(-((both + 0.5) / below * shares).sum() + 1.0)
}

/// Mean over labelled pixels of the sum over classes of probability times signed distance to the class's border.
pub(super) fn boundary(truth: &Truth<'_>) -> Option<Tensor<1>> {
    if truth.labelled == 0 {
        return None;
    }
    let distances = signed_distances(truth.labels, truth.shape, truth.loss.ignore);
    let weights = truth.of_pixels(distances, truth.shape.c) * truth.counted.clone();
    Some(truth.sum(truth.probabilities() * weights).sum() * (1.0 / truth.labelled as f64) as f32)
}
