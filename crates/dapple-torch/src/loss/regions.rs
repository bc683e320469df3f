//! Losses of regions: Dice, Tversky, boundary.

use super::View;
use crate::transfer::{extent, upload};
use dapple_graph::signed_distances;
use tch::{Kind, TchError, Tensor};

impl View<'_> {
    /// `1 -` mean over the classes that occur of `(I + ½) / (I + alpha (P - I) + beta (G - I) + ½)`; with ½ for both it is
    /// Dice.
    pub(super) fn tversky(&self, [alpha, beta]: [f64; 2]) -> Result<Tensor, TchError> {
        let (p, truth) = (self.probabilities()?, self.one_hot()?);
        let classes = self.truth.occurring();
        let chosen: Vec<i64> = classes.iter().map(|&k| extent(k)).collect();
        let chosen = Tensor::f_from_slice(&chosen)?.f_to_device(self.truth.device)?;
        let sums =
            |values: &Tensor| values.f_sum_dim_intlist(0, false, Kind::Float)?.f_index_select(0, &chosen);
        let (both, predicted) = (sums(&p.f_mul(&truth)?)?, sums(&p)?);
        let fixed: Vec<f64> = classes.iter().map(|&k| beta * self.truth.count(k) + 0.5).collect();
        let below = both
            .f_mul_scalar(1.0 - alpha - beta)?
            .f_add(&predicted.f_mul_scalar(alpha)?)?
            .f_add(&self.truth.per_class(&fixed)?)?;
        let scores = both.f_add_scalar(0.5)?.f_div(&below)?;
        scores.f_mean(Kind::Float)?.f_rsub_scalar(1.0)
    }

    /// Mean over pixels of the sum over classes of probability times signed distance.
    pub(super) fn boundary(&self) -> Result<Tensor, TchError> {
        let truth = self.truth;
        let distances = signed_distances(truth.labels, truth.shape, truth.loss.ignore);
        let distances = upload(&distances, truth.device)?.f_view_([-1, extent(truth.shape.c)])?;
        let distances = match &truth.labelled {
            Some(labelled) => distances.f_index_select(0, labelled)?,
            None => distances,
        };
        self.probabilities()?.f_mul(&distances)?.f_sum(Kind::Float)?.f_mul_scalar(1.0 / truth.pixels())
    }
}
