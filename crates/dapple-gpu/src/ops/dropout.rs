//! Dropout of values and of images, with the numbers of [`dapple_graph::dropout`].
//!
//! They are drawn on the host: the generator works on 64-bit integers, which shaders have not everywhere.

use super::Map;
use crate::flat::upload;
use burn_tensor::Device;
use dapple_graph::dropout::{keeps, threshold};

/// Single values.
pub(crate) fn values(x: Map, rate: f32, key: u64, device: &Device) -> Map {
    let shape = x.dims();
    x * upload(factors(shape.iter().product(), rate, key), shape, device)
}

/// All values of an image.
pub(crate) fn images(x: Map, rate: f32, key: u64, device: &Device) -> Map {
    let n = x.dims()[0];
    x * upload(factors(n, rate, key), [n, 1, 1, 1], device)
}

fn factors(count: usize, rate: f32, key: u64) -> Vec<f32> {
    let (threshold, factor) = (threshold(rate), 1.0 / (1.0 - rate));
    (0..count as u64).map(|i| if keeps(key, i, threshold) { factor } else { 0.0 }).collect()
}
