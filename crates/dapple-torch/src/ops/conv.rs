//! Convolutions.

use super::context::{Context, channels_last};
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
    let x = context.lowered(x)?;
    if x.size()[2..] == [1, 1] {
        return of_one_pixel(&x, weight, bias, padding);
    }
    x.f_conv_transpose2d(weight, bias, stride, padding, [0, 0], 1, [1, 1])
}

/// Of maps of a single pixel, a transposed convolution is a matrix product. oneDNN 3.12, which libtorch uses on the CPU,
/// computes wrong gradients of large weights there.
fn of_one_pixel(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    [vertical, horizontal]: [i64; 2],
) -> Result<Tensor, TchError> {
    let (images, size) = (x.size()[0], weight.size());
    let product = x.f_reshape([images, size[0]])?.f_matmul(&weight.f_reshape([size[0], -1])?)?;
    let whole = channels_last(&product.f_view_([images, size[1], size[2], size[3]])?)?;
    let y = whole.f_constant_pad_nd([-horizontal, -horizontal, -vertical, -vertical])?;
    match bias {
        Some(bias) => y.f_add(&bias.f_view_([1, -1, 1, 1])?),
        None => Ok(y),
    }
}
