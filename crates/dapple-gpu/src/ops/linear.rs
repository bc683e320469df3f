//! Everything that is a weighted sum of rows and then of columns: bilinear and nearest sampling, adaptive average
//! pooling, mean pooling.
//!
//! Each is two matrix products with constant matrices, whose gradients are products with the transposed ones.

use super::Map;
use crate::flat::upload;
use burn_tensor::{Device, Tensor};
use dapple_graph::{AvgPool, Interpolation};
use std::collections::HashMap;

/// The operation along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Sample(Interpolation),
    /// Adaptive average pooling.
    Dividing,
    /// Mean pooling; the padding counts.
    Sliding {
        kernel: usize,
        stride: usize,
        padding: usize,
    },
}

/// A matrix by its meaning: what is done, input extent, output extent.
type Key = (Kind, usize, usize);

/// The matrices that a network has used, on the device.
#[derive(Default)]
pub(crate) struct Matrices(HashMap<Key, Tensor<3>>);

impl Matrices {
    /// Sampling at another height and width.
    pub fn sample(&mut self, x: Map, size: [usize; 2], interpolation: Interpolation, device: &Device) -> Map {
        self.apply(x, size, [Kind::Sample(interpolation); 2], device)
    }

    /// Means over windows that divide the map.
    pub fn divide(&mut self, x: Map, size: [usize; 2], device: &Device) -> Map {
        self.apply(x, size, [Kind::Dividing; 2], device)
    }

    /// Means over windows of one size.
    pub fn slide(&mut self, x: Map, size: [usize; 2], pool: &AvgPool, device: &Device) -> Map {
        let along = |i: usize| Kind::Sliding {
            kernel: pool.kernel[i],
            stride: pool.stride[i],
            padding: pool.padding[i],
        };
        self.apply(x, size, [along(0), along(1)], device)
    }

    fn apply(&mut self, x: Map, [oh, ow]: [usize; 2], [rows, columns]: [Kind; 2], device: &Device) -> Map {
        let [n, h, w, c] = x.dims();
        let rows = self.matrix((rows, h, oh), device);
        let x = rows.matmul(x.reshape([n, h, w * c])).reshape([n * oh, w, c]);
        self.matrix((columns, w, ow), device).matmul(x).reshape([n, oh, ow, c])
    }

    /// `[1, output, input]`.
    fn matrix(&mut self, key: Key, device: &Device) -> Tensor<3> {
        let make = || {
            let (kind, input, output) = key;
            let mut values = vec![0.0; output * input];
            for (i, row) in values.chunks_exact_mut(input).enumerate() {
                weigh(kind, i, output, row);
            }
            upload(values, [1, output, input], device)
        };
        self.0.entry(key).or_insert_with(make).clone()
    }
}

/// The weights of all inputs along an axis for output `i` of `output`.
fn weigh(kind: Kind, i: usize, output: usize, weights: &mut [f32]) {
    let input = weights.len();
    match kind {
        Kind::Sample(Interpolation::Nearest) => weights[i * input / output] = 1.0,
        Kind::Sample(Interpolation::Bilinear { align_corners }) => {
            let source = match align_corners {
                true if output == 1 => 0.0,
                true => (i * (input - 1)) as f64 / (output - 1) as f64,
                false => ((i as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0),
            };
            let first = (source as usize).min(input - 1);
            let share = source - first as f64;
            weights[first] += (1.0 - share) as f32;
            weights[(first + 1).min(input - 1)] += share as f32;
        }
        Kind::Dividing => {
            let window = i * input / output..((i + 1) * input).div_ceil(output);
            let share = 1.0 / window.len() as f32;
            weights[window].fill(share);
        }
        Kind::Sliding { kernel, stride, padding } => {
            let inside = |place: usize| place.saturating_sub(padding).min(input);
            let window = inside(i * stride)..inside(i * stride + kernel);
            weights[window].fill(1.0 / kernel as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, i: usize, input: usize, output: usize) -> Vec<f32> {
        let mut weights = vec![0.0; input];
        weigh(kind, i, output, &mut weights);
        weights
    }

    #[test]
    fn weights_are_those_of_the_definitions() {
        let bilinear = |align_corners| Kind::Sample(Interpolation::Bilinear { align_corners });
        assert_eq!(row(bilinear(false), 0, 2, 4), [1.0, 0.0]);
        assert_eq!(row(bilinear(false), 1, 2, 4), [0.75, 0.25]);
        assert_eq!(row(bilinear(false), 3, 2, 4), [0.0, 1.0]);
        assert_eq!(row(bilinear(true), 1, 2, 3), [0.5, 0.5]);
        assert_eq!(row(bilinear(true), 0, 3, 1), [1.0, 0.0, 0.0]);
        assert_eq!(row(Kind::Sample(Interpolation::Nearest), 2, 2, 3), [0.0, 1.0]);
        // Windows that overlap, and one that is cut at the border but divided by its whole size.
        assert_eq!(row(Kind::Dividing, 0, 3, 2), [0.5, 0.5, 0.0]);
        assert_eq!(row(Kind::Sliding { kernel: 2, stride: 2, padding: 1 }, 0, 3, 2), [0.5, 0.0, 0.0]);
    }

    #[test]
    fn sampling_keeps_constants() {
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear { align_corners: false }] {
            for (input, output) in [(1, 5), (7, 3), (4, 9)] {
                for i in 0..output {
                    let sum: f32 = row(Kind::Sample(interpolation), i, input, output).iter().sum();
                    assert!((sum - 1.0).abs() < 1e-6);
                }
            }
        }
    }
}
