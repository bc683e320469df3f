//! Convolutions.

use super::{Map, channels_first, channels_last};
use burn_tensor::Tensor;
use burn_tensor::module;
use burn_tensor::ops::{ConvOptions, ConvTransposeOptions};
use dapple_graph::{Conv2d, ConvTranspose2d};

/// `weight` is flat, `[out, in / groups, kh, kw]`.
pub(crate) fn conv(x: Map, weight: Tensor<1>, bias: Option<Tensor<1>>, conv: &Conv2d) -> Map {
    let [_, _, _, c] = x.dims();
    let [kh, kw] = conv.kernel;
    let weight = weight.reshape([conv.out_channels, c / conv.groups, kh, kw]);
    let options = ConvOptions::new(conv.stride, conv.padding, conv.dilation, conv.groups);
    channels_last(module::conv2d(channels_first(x), weight, bias, options))
}

/// `weight` is flat, `[in, out, kh, kw]`.
pub(crate) fn conv_transpose(
    x: Map,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    conv: &ConvTranspose2d,
) -> Map {
    let [_, _, _, c] = x.dims();
    let [kh, kw] = conv.kernel;
    let weight = weight.reshape([c, conv.out_channels, kh, kw]);
    let options = ConvTransposeOptions::new(conv.stride, conv.padding, [0, 0], [1, 1], 1);
    channels_last(module::conv_transpose2d(channels_first(x), weight, bias, options))
}
