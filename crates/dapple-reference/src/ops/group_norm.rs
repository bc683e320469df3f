//! Group normalization (Wu and He 2018): `gamma (x - mean) / sqrt(var + eps) + beta`, with the moments of a run of
//! channels of one image.

use super::channels::ChannelGradients;
use crate::Tensor64;
use crate::draw::Draw;
use dapple_graph::{Graph, GraphError, NodeId};

/// Each value normalized, and for each image and group the inverse deviation.
fn normalize(x: &Tensor64, groups: usize, eps: f32) -> (Vec<f64>, Vec<f64>) {
    let count = (x.shape.h * x.shape.w * x.shape.c / groups) as f64;
    let of = group_of(x, groups);
    let moments = x.shape.n * groups;
    let (mut mean, mut var) = (vec![0.0; moments], vec![0.0; moments]);
    x.data.iter().enumerate().for_each(|(i, v)| mean[of(i)] += v / count);
    x.data.iter().enumerate().for_each(|(i, v)| var[of(i)] += (v - mean[of(i)]).powi(2) / count);
    let inverses: Vec<f64> = var.iter().map(|v| 1.0 / (v + f64::from(eps)).sqrt()).collect();
    let data = x.data.iter().enumerate().map(|(i, v)| (v - mean[of(i)]) * inverses[of(i)]).collect();
    (data, inverses)
}

/// Index of image and group of a value.
fn group_of(x: &Tensor64, groups: usize) -> impl Fn(usize) -> usize {
    let (c, image) = (x.shape.c, x.shape.h * x.shape.w * x.shape.c);
    move |i| i / image * groups + i % c * groups / c
}

pub(crate) fn forward(x: &Tensor64, gamma: &[f64], beta: &[f64], groups: usize, eps: f32) -> Tensor64 {
    let (mut data, _) = normalize(x, groups, eps);
    data.iter_mut().enumerate().for_each(|(i, v)| *v = *v * gamma[i % x.shape.c] + beta[i % x.shape.c]);
    Tensor64::new(x.shape, data)
}

pub(crate) fn backward(
    x: &Tensor64,
    gamma: &[f64],
    groups: usize,
    eps: f32,
    gy: &Tensor64,
) -> ChannelGradients {
    let (c, of) = (x.shape.c, group_of(x, groups));
    let count = (x.shape.h * x.shape.w * c / groups) as f64;
    let (z, inverses) = normalize(x, groups, eps);
    let (mut factor, mut shift) = (vec![0.0; c], vec![0.0; c]);
    // Means over a group of the gradient of `z`, and of its product with `z`.
    let (mut mean, mut along) = (vec![0.0; inverses.len()], vec![0.0; inverses.len()]);
    for (i, g) in gy.data.iter().enumerate() {
        factor[i % c] += g * z[i];
        shift[i % c] += g;
        mean[of(i)] += g * gamma[i % c] / count;
        along[of(i)] += g * gamma[i % c] * z[i] / count;
    }
    let input = gy.data.iter().enumerate();
    let input = input.map(|(i, g)| inverses[of(i)] * (g * gamma[i % c] - mean[of(i)] - z[i] * along[of(i)]));
    ChannelGradients { input: Tensor64::new(x.shape, input.collect()), factor, shift }
}

/// A group norm of the input.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let c = g.shape(x).c;
    let groups = (1..=c).filter(|groups| c.is_multiple_of(*groups)).collect::<Vec<_>>();
    g.group_norm("gn", x, draw.pick(&groups))
}
