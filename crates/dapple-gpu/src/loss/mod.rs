//! Losses between logits on the device and label maps, as tensor operations. Definitions:
//! [`LossKind`](dapple_graph::LossKind).
//!
//! Numbers that labels alone decide (counts, sums of weights, distances) are taken on the host in `f64`, and so is what
//! needs an order of the whole batch (`order`); both enter as constants.

mod order;
mod pixels;
mod regions;
mod truth;

use crate::flat::read;
use crate::ops::Map;
use burn_tensor::{Device, Tensor};
use dapple_graph::{EngineError, Loss, LossKind, Shape};
use truth::Truth;

/// The weighted sum over outputs and terms, `[1]`; none where no pixel counts.
///
/// # Errors
/// If labels or settings do not fit an output, or the device fails.
pub(crate) fn loss(
    outputs: &[Map],
    labels: &[u8],
    loss: &Loss,
    device: &Device,
    name: &str,
) -> Result<Option<Tensor<1>>, EngineError> {
    let mut total: Option<Tensor<1>> = None;
    let shape = |[n, h, w, c]: [usize; 4]| Shape::new(n, h, w, c);
    let shapes: Vec<Shape> = outputs.iter().map(|output| shape(output.dims())).collect();
    let seen = match loss.seen_output().and_then(|index| outputs.get(index)) {
        Some(logits) => Some(read(logits.clone().inner(), name)?),
        None => None,
    };
    for part in &loss.parts(labels, &shapes, seen.as_deref())? {
        let truth = Truth::new(outputs[part.output].clone(), &part.labels, &part.loss, device, name)?;
        for term in &part.loss.terms {
            let value = match term.kind {
                LossKind::CrossEntropy => pixels::cross_entropy(&truth, term.smoothing()),
                LossKind::BinaryCrossEntropy => pixels::binary(&truth),
                LossKind::Focal => pixels::focal(&truth, term.gamma()),
                LossKind::Dice => regions::overlap(&truth, [0.5, 0.5]),
                LossKind::Tversky => regions::overlap(&truth, term.tversky()),
                LossKind::Boundary => regions::boundary(&truth),
                LossKind::Lovasz => order::lovasz(&truth)?,
                LossKind::Ohem => order::hardest(&truth, term.keep())?,
            };
            let factor = part.factor * term.weight;
            total = match (total, value.map(|value| value * factor)) {
                (Some(total), Some(value)) => Some(total + value),
                (total, value) => total.or(value),
            };
        }
    }
    Ok(total)
}
