//! Normalizations, from means and centred squares.
//!
//! Means are taken axis by axis, columns first, so that no sum in fp32 is long.

use super::{Map, of_channels};
use burn_tensor::Tensor;
use dapple_graph::BatchNorm;

/// Mean and unbiased variance of each channel of a batch, for the running statistics.
pub(crate) struct Moments {
    pub mean: Tensor<1>,
    pub var: Tensor<1>,
}

/// Batch norm with the batch's own moments, which are returned without gradients. A batch of one pixel, which has no
/// unbiased variance, counts with 0.
pub(crate) fn batch(x: Map, gamma: Tensor<1>, beta: Tensor<1>, norm: BatchNorm) -> (Map, Moments) {
    let [n, h, w, c] = x.dims();
    let mean = mean(x.clone(), &[2, 1, 0]);
    let centred = x - mean.clone();
    let var = self::mean(centred.clone() * centred.clone(), &[2, 1, 0]);
    let y = centred * inverse_deviation(var.clone(), norm.eps) * of_channels(gamma) + of_channels(beta);
    let count = n * h * w;
    let unbiased = count as f64 / count.saturating_sub(1).max(1) as f64;
    let moments =
        Moments { mean: mean.inner().reshape([c]), var: (var.inner() * unbiased as f32).reshape([c]) };
    (y, moments)
}

/// Batch norm with running statistics.
pub(crate) fn running(x: Map, [gamma, beta, mean, var]: [Tensor<1>; 4], norm: BatchNorm) -> Map {
    let scale = of_channels(gamma) * inverse_deviation(of_channels(var), norm.eps);
    (x - of_channels(mean)) * scale + of_channels(beta)
}

/// Layer norm over the channels of each pixel.
pub(crate) fn layer(x: Map, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Map {
    let centred = x.clone() - x.mean_dim(3);
    let var = (centred.clone() * centred.clone()).mean_dim(3);
    centred * inverse_deviation(var, eps) * of_channels(gamma) + of_channels(beta)
}

/// Group norm over the pixels and the channels of each run of an image.
pub(crate) fn group(x: Map, gamma: Tensor<1>, beta: Tensor<1>, groups: usize, eps: f32) -> Map {
    let shape @ [n, h, w, c] = x.dims();
    let x = x.reshape([n, h * w, groups, c / groups]);
    let centred = x.clone() - mean(x, &[3, 1]);
    let var = mean(centred.clone() * centred.clone(), &[3, 1]);
    let y = (centred * inverse_deviation(var, eps)).reshape(shape);
    y * of_channels(gamma) + of_channels(beta)
}

fn mean(x: Map, axes: &[usize]) -> Map {
    axes.iter().fold(x, |x, &axis| x.mean_dim(axis))
}

fn inverse_deviation(var: Map, eps: f32) -> Map {
    (var + eps).sqrt().recip()
}
