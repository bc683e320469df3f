//! Convolutions.

use super::{Map, channels_first, channels_last, of_channels};
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
    biased(channels_last(module::conv2d(channels_first(x), weight, None, options)), bias)
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
    biased(channels_last(module::conv_transpose2d(channels_first(x), weight, None, options)), bias)
}

/// Adds the bias of each channel. Its gradient is summed axis by axis, so that no sum in fp32 is long; Burn's own is one sum
/// over all pixels of a copy of the map's gradient.
fn biased(y: Map, bias: Option<Tensor<1>>) -> Map {
    match bias {
        Some(bias) => y + of_channels(bias),
        None => y,
    }
}
