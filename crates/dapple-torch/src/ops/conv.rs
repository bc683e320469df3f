//! Convolutions.

use super::Context;
use crate::transfer::extent;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId};
use tch::{TchError, Tensor};

pub(super) fn plain(
    context: &Context<'_>,
    x: &Tensor,
    weight: ParamId,
    bias: Option<ParamId>,
    conv: &Conv2d,
) -> Result<Tensor, TchError> {
    let [stride, padding, dilation] = [conv.stride, conv.padding, conv.dilation].map(|pair| pair.map(extent));
    let bias = bias.map(|bias| context.views.low(bias));
    let weight = context.views.low(weight);
    context.lowered(x)?.f_conv2d(weight, bias, stride, padding, dilation, extent(conv.groups))
}

pub(super) fn transposed(
    context: &Context<'_>,
    x: &Tensor,
    weight: ParamId,
    bias: Option<ParamId>,
    conv: &ConvTranspose2d,
) -> Result<Tensor, TchError> {
    let [stride, padding] = [conv.stride, conv.padding].map(|pair| pair.map(extent));
    let bias = bias.map(|bias| context.views.low(bias));
    let weight = context.views.low(weight);
    context.lowered(x)?.f_conv_transpose2d(weight, bias, stride, padding, [0, 0], 1, [1, 1])
}
