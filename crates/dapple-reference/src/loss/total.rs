//! The weighted sum of the terms of a loss.

use super::{basic, pixels, regions};
use crate::Tensor64;
use dapple_graph::{Loss, LossError, LossKind};

/// The sum over all outputs and terms, with the gradient of each output. `labels` is `[n, h, w]`.
///
/// A batch without a labelled pixel has loss 0. For one channel, label 1 stands against every other label,
/// and there are two class weights: that of the rest and that of label 1. Dice has no class weights.
///
/// # Errors
/// As [`Loss::parts`].
pub fn loss(outputs: &[Tensor64], labels: &[u8], loss: &Loss) -> Result<(f64, Vec<Tensor64>), LossError> {
    let mut total = 0.0;
    let shapes: Vec<_> = outputs.iter().map(|output| output.shape).collect();
    let mut gradients: Vec<_> = shapes.iter().map(|&shape| Tensor64::zeros(shape)).collect();
    let seen = loss.seen_output().and_then(|index| outputs.get(index));
    let seen: Option<Vec<f32>> = seen.map(|seen| seen.data.iter().map(|&z| z as f32).collect());
    for part in loss.parts(labels, &shapes, seen.as_deref())? {
        let (logits, labels, loss) = (&outputs[part.output], &part.labels[..], &*part.loss);
        for term in &loss.terms {
            let factor = f64::from(part.factor) * f64::from(term.weight);
            let (value, mut gradient) = match term.kind {
                LossKind::CrossEntropy => basic::cross_entropy(logits, labels, loss, term),
                LossKind::BinaryCrossEntropy => basic::binary_cross_entropy(logits, labels, loss),
                LossKind::Dice => basic::dice(logits, labels, loss),
                LossKind::Focal => pixels::focal(logits, labels, loss, f64::from(term.gamma())),
                LossKind::Ohem => pixels::ohem(logits, labels, loss, f64::from(term.keep())),
                LossKind::Tversky => regions::tversky(logits, labels, loss, term.tversky().map(f64::from)),
                LossKind::Lovasz => regions::lovasz(logits, labels, loss),
                LossKind::Boundary => regions::boundary(logits, labels, loss),
            };
            total += factor * value;
            gradient.data.iter_mut().for_each(|g| *g *= factor);
            gradients[part.output].accumulate(&gradient);
        }
    }
    Ok((total, gradients))
}
