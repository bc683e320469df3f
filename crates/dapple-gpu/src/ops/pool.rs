//! Max pooling with positions, and unpooling.

use super::{Map, channels_first, channels_last};
use burn_tensor::ops::MaxPoolOptions;
use burn_tensor::{Device, Int, Tensor, TensorData, module};
use dapple_graph::MaxPool;

/// Where the maxima stood in their image, `y w + x`, in the shape of the pooled map.
pub(crate) type Positions = Tensor<4, Int>;

pub(crate) fn max(x: Map, pool: &MaxPool) -> Map {
    channels_last(module::max_pool2d(channels_first(x), options(pool)))
}

/// The maxima with their positions; the first of equals counts.
pub(crate) fn max_with_positions(x: Map, pool: &MaxPool) -> (Map, Positions) {
    let (y, positions) = module::max_pool2d_with_indices(channels_first(x), options(pool));
    (channels_last(y), positions.permute([0, 2, 3, 1]))
}

fn options(pool: &MaxPool) -> MaxPoolOptions<2> {
    MaxPoolOptions::new(pool.kernel)
        .with_stride(pool.stride)
        .with_padding(pool.padding)
        .with_ceil_mode(pool.ceil)
}

/// Values at the positions that a pooling without overlaps kept, in a map of that height and width.
///
/// Each place of the map lies in one window at most: it takes that window's value if the window's maximum stood there.
/// So nothing is scattered, and each gradient has one place to go to.
pub(crate) fn unpool(
    x: Map,
    positions: Positions,
    size @ [h, w]: [usize; 2],
    pool: &MaxPool,
    device: &Device,
) -> Map {
    let [_, oh, ow, _] = x.dims();
    let windows = |axis: usize, extent: usize| {
        let window = |i: usize| ((i + pool.padding[axis]) / pool.stride[axis]).min(extent - 1) as i32;
        integers((0..size[axis]).map(window).collect(), [size[axis]], device)
    };
    let (rows, columns) = (windows(0, oh), windows(1, ow));
    let spread = x.select(1, rows.clone()).select(2, columns.clone());
    let chosen = positions.select(1, rows).select(2, columns);
    let own: Positions = integers((0..(h * w) as i32).collect(), [1, h, w, 1], device);
    spread.mask_fill(chosen.not_equal(own), 0.0)
}

fn integers<const D: usize>(values: Vec<i32>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
