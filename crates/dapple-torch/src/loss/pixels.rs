//! Losses that are means over pixels.

use super::View;
use tch::{Kind, Reduction, TchError, Tensor};

impl View<'_> {
    /// Sum of `weight * -log p` over sum of weights; with smoothing, the truth is spread over all classes.
    pub(super) fn cross_entropy(&self, smoothing: f64) -> Result<Option<Tensor>, TchError> {
        let weights = self.truth.weight_sum();
        if weights == 0.0 {
            return Ok(None);
        }
        let own = self.weighted_sum(&self.log_truth()?)?.f_mul_scalar(-(1.0 - smoothing) / weights)?;
        if smoothing == 0.0 {
            return Ok(Some(own));
        }
        let logs = self.logits.f_log_softmax(1, Kind::Float)?.f_sum_dim_intlist(0, false, Kind::Float)?;
        let all = logs.f_mul(&self.truth.per_class(&self.truth.weights)?)?.f_sum(Kind::Float)?;
        let share = -smoothing / self.truth.shape.c as f64 / weights;
        own.f_add(&all.f_mul_scalar(share)?).map(Some)
    }

    /// Mean over pixels and channels, each channel against the rest.
    pub(super) fn binary_cross_entropy(&self) -> Result<Tensor, TchError> {
        let truth = self.one_hot()?;
        // Of one channel the weight is that of the pixel's class, else that of the channel's.
        let weights = match (&self.truth.loss.class_weights, self.single()) {
            (None, _) => None,
            (Some(_), true) => self.pixel_weights()?.map(|weights| weights.f_unsqueeze(1)).transpose()?,
            (Some(_), false) => Some(self.truth.per_class(&self.truth.weights)?.f_unsqueeze(0)?),
        };
        self.logits.f_binary_cross_entropy_with_logits(&truth, weights, None, Reduction::Mean)
    }

    /// `(1 - p)^gamma` times the cross-entropy; the mean that cross-entropy takes, for one channel that over the pixels.
    pub(super) fn focal(&self, gamma: f64) -> Result<Option<Tensor>, TchError> {
        let count = if self.single() { self.truth.pixels() } else { self.truth.weight_sum() };
        if count == 0.0 {
            return Ok(None);
        }
        let log_truth = self.log_truth()?;
        // 1 - p without cancellation.
        let miss = log_truth.f_expm1()?.f_neg()?;
        let values = miss.f_pow_tensor_scalar(gamma)?.f_mul(&log_truth)?;
        self.weighted_sum(&values)?.f_mul_scalar(-1.0 / count).map(Some)
    }
}
