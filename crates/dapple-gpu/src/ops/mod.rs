//! The operations, one module a family. Maps are `[n, h, w, c]`.

pub(crate) mod attention;
pub(crate) mod conv;
pub(crate) mod dropout;
pub(crate) mod fit;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod pointwise;
pub(crate) mod pool;

use burn_tensor::Tensor;

/// An activation, `[n, h, w, c]`.
pub(crate) type Map = Tensor<4>;

/// Values of channels, to be combined with a map.
pub(crate) fn of_channels(values: Tensor<1>) -> Map {
    let [c] = values.dims();
    values.reshape([1, 1, 1, c])
}

/// The order of Burn's convolutions and poolings, whose memory stays channels-last.
fn channels_first(x: Map) -> Map {
    x.permute([0, 3, 1, 2])
}

fn channels_last(x: Map) -> Map {
    x.permute([0, 2, 3, 1])
}
