//! Normalizations, in single precision whatever comes in.

use super::context::Context;
use dapple_graph::{BatchNorm, Mode, ParamId};
use tch::{Kind, TchError, Tensor};

/// The parameters of a batch norm.
pub(super) struct BatchParams {
    pub scale: ParamId,
    pub shift: ParamId,
    pub mean: ParamId,
    pub var: ParamId,
}

/// Batch norm; in training its running statistics move, the variance towards the unbiased one.
pub(super) fn batch(
    context: &Context<'_>,
    x: &Tensor,
    params: &BatchParams,
    norm: BatchNorm,
) -> Result<Tensor, TchError> {
    let [scale, shift, mean, var] =
        [params.scale, params.shift, params.mean, params.var].map(|id| context.views.get(id));
    let (momentum, eps) = (f64::from(norm.momentum), f64::from(norm.eps));
    let training = context.mode == Mode::Train && !norm.frozen;
    let size = x.size();
    if training && size[0] * size[2] * size[3] == 1 {
        // A single value has no unbiased variance: it counts as 0, where libtorch divides by zero.
        let y = x.f_batch_norm(Some(scale), Some(shift), None, None, true, momentum, eps, true)?;
        let _guard = tch::no_grad_guard();
        let value = x.f_detach()?.f_reshape([-1])?.f_to_kind(Kind::Float)?;
        drop(mean.shallow_clone().f_lerp_(&value, momentum)?);
        drop(var.shallow_clone().f_mul_scalar_(1.0 - momentum)?);
        return Ok(y);
    }
    x.f_batch_norm(Some(scale), Some(shift), Some(mean), Some(var), training, momentum, eps, true)
}

/// Layer norm over the channels of each pixel, which stand side by side in memory.
pub(super) fn layer(
    context: &Context<'_>,
    x: &Tensor,
    scale: ParamId,
    shift: ParamId,
    eps: f32,
) -> Result<Tensor, TchError> {
    let [scale, shift] = [scale, shift].map(|id| context.views.get(id));
    let pixels = x.f_permute([0, 2, 3, 1])?.f_to_kind(Kind::Float)?;
    let normed = pixels.f_layer_norm(scale.size(), Some(scale), Some(shift), f64::from(eps), true)?;
    normed.f_permute([0, 3, 1, 2])
}
