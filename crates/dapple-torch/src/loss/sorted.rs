//! Losses that need the order of a whole batch's errors.

use super::View;
use crate::transfer::extent;
use tch::{Kind, TchError, Tensor};

impl View<'_> {
    /// Lovász-softmax averaged over the classes that occur, or the hinge of one channel.
    pub(super) fn lovasz(&self) -> Result<Tensor, TchError> {
        let truth = self.one_hot()?;
        if self.single() {
            let sign = truth.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
            let errors = self.logits.f_mul(&sign)?.f_rsub_scalar(1.0)?.f_relu()?;
            return jaccard(&errors.f_reshape([-1])?, &truth.f_reshape([-1])?, self.truth.count(0));
        }
        let errors = truth.f_sub(&self.probabilities()?)?.f_abs()?;
        let classes = self.truth.occurring();
        let mut values = Vec::with_capacity(classes.len());
        for &k in &classes {
            let [errors, truth] = [errors.f_select(1, extent(k))?, truth.f_select(1, extent(k))?];
            values.push(jaccard(&errors, &truth, self.truth.count(k))?);
        }
        Tensor::f_stack(&values, 0)?.f_mean(Kind::Float)
    }

    /// Cross-entropy of the share of the pixels with the largest one, earlier pixels first among equals.
    pub(super) fn hardest(&self, keep: f64) -> Result<Tensor, TchError> {
        let pixels = self.truth.pixels();
        let count = (keep * pixels).ceil().clamp(1.0, pixels);
        let losses = self.log_truth()?.f_neg()?;
        // Rounding may leave a probability a little above one.
        let (_, order) = losses.f_detach()?.f_clamp_min(0.0)?.f_sort_stable(true, 0, true)?;
        let chosen = order.f_narrow(0, 0, count as i64)?;
        let losses = losses.f_index_select(0, &chosen)?;
        let Some(weights) = self.pixel_weights()? else { return losses.f_mean(Kind::Float) };
        let weights = weights.f_index_select(0, &chosen)?;
        let sum = weights.f_sum(Kind::Float)?;
        // Where all weights are 0, so is the loss.
        let sum = sum.f_add(&sum.f_eq(0.0)?.f_to_kind(Kind::Float)?)?;
        losses.f_mul(&weights)?.f_sum(Kind::Float)?.f_div(&sum)
    }
}

/// The Lovász extension of the Jaccard loss (Berman et al. 2018, equations 8 and 9) at errors `[pixels]`, `all` of which are
/// in the truth. Its slopes are constants between changes of the order.
fn jaccard(errors: &Tensor, truth: &Tensor, all: f64) -> Result<Tensor, TchError> {
    let (_, order) = errors.f_detach()?.f_sort_stable(true, 0, true)?;
    let (errors, truth) = (errors.f_index_select(0, &order)?, truth.f_detach()?.f_index_select(0, &order)?);
    // Counts in double precision, whose differences are exact enough to be slopes.
    let found = truth.f_cumsum(0, Kind::Double)?;
    let wrong = truth.f_rsub_scalar(1.0)?.f_cumsum(0, Kind::Double)?;
    let union = wrong.f_add_scalar(all)?;
    let losses = found.f_rsub_scalar(all)?.f_div(&union)?.f_rsub_scalar(1.0)?;
    let before = losses.f_narrow(0, 0, losses.size()[0] - 1)?.f_constant_pad_nd([1, 0])?;
    let slopes = losses.f_sub(&before)?.f_to_kind(Kind::Float)?;
    errors.f_mul(&slopes)?.f_sum(Kind::Float)
}
