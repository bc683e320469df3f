//! Losses that add up over pixels: cross-entropies and focal loss.

use super::truth::Truth;
use burn_tensor::Tensor;

/// Sum of `weight -log p` over the sum of weights; `smoothing` of the truth is spread over all classes.
pub(super) fn cross_entropy(truth: &Truth<'_>, smoothing: f32) -> Option<Tensor<1>> {
    let total = truth.total_weight();
    if total == 0.0 {
        return None;
    }
    let spread = smoothing / truth.shape.c as f32;
    let share = truth.truth.clone() * (1.0 - smoothing) + truth.counted.clone() * spread;
    let each = share * truth.channel_weights() * truth.log_probabilities();
    Some(truth.sum(each).sum() * (-1.0 / total) as f32)
}

/// Mean over labelled pixels and channels of each channel's truth against the rest.
pub(super) fn binary(truth: &Truth<'_>) -> Option<Tensor<1>> {
    if truth.labelled == 0 {
        return None;
    }
    let weights = match truth.shape.c {
        1 => truth.pixel_weights(),
        _ => truth.counted.clone() * truth.channel_weights(),
    };
    let count = (truth.labelled * truth.shape.c) as f64;
    Some(truth.sum(truth.binary() * weights).sum() * (1.0 / count) as f32)
}

/// Mean of `weight (1 - p)^gamma -log p`: over the sum of weights or, for one channel, over the pixels.
pub(super) fn focal(truth: &Truth<'_>, gamma: f32) -> Option<Tensor<1>> {
    let total = if truth.shape.c == 1 { truth.labelled as f64 } else { truth.total_weight() };
    if total == 0.0 {
        return None;
    }
    let nll = truth.negative_log();
    // Rounding may leave a probability a little above 1.
    let miss = (-(-nll.clone()).exp() + 1.0).clamp_min(0.0);
    let factor = match gamma {
        0.0 => None,
        1.0 => Some(miss),
        2.0 => Some(miss.clone() * miss),
        // Powers of 0 are not numbers on every card.
        _ => Some(miss.clamp_min(1e-12).powf_scalar(gamma)),
    };
    let each = match factor {
        Some(factor) => factor * nll,
        None => nll,
    };
    Some(truth.sum(each * truth.pixel_weights()).sum() * (1.0 / total) as f32)
}
