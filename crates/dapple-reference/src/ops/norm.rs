//! Batch normalization (Ioffe and Szegedy 2015): `gamma (x - mean) / sqrt(var + eps) + beta` per channel.

use crate::Tensor64;
use crate::draw::{Draw, other_size};
use dapple_graph::{BatchNorm, Graph, GraphError, NodeId};

/// Mean and biased variance of each channel that a batch was normalized with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f64>,
    pub(crate) var: Vec<f64>,
}

pub(crate) struct NormGradients {
    pub(crate) input: Tensor64,
    pub(crate) gamma: Vec<f64>,
    pub(crate) beta: Vec<f64>,
}

/// Moments over batch, height and width.
pub(crate) fn batch_moments(x: &Tensor64) -> Moments {
    let (c, count) = (x.shape.c, x.shape.pixels() as f64);
    let mut mean = vec![0.0; c];
    x.data.iter().enumerate().for_each(|(i, v)| mean[i % c] += v / count);
    let mut var = vec![0.0; c];
    x.data.iter().enumerate().for_each(|(i, v)| var[i % c] += (v - mean[i % c]).powi(2) / count);
    Moments { mean, var }
}

/// Moves the running statistics towards the batch's; the running variance takes the unbiased one. A batch of
/// one pixel, which has none, counts with variance 0.
pub(crate) fn update_running(
    norm: BatchNorm,
    batch: &Moments,
    pixels: usize,
    mean: &mut [f64],
    var: &mut [f64],
) {
    let momentum = f64::from(norm.momentum);
    let unbiased = pixels as f64 / pixels.saturating_sub(1).max(1) as f64;
    for (running, new) in mean.iter_mut().zip(&batch.mean) {
        *running = (1.0 - momentum) * *running + momentum * new;
    }
    for (running, new) in var.iter_mut().zip(&batch.var) {
        *running = (1.0 - momentum) * *running + momentum * new * unbiased;
    }
}

pub(crate) fn forward(
    norm: BatchNorm,
    x: &Tensor64,
    moments: &Moments,
    gamma: &[f64],
    beta: &[f64],
) -> Tensor64 {
    let c = x.shape.c;
    let normalized = normalize(norm, x, moments);
    let data = normalized.iter().enumerate().map(|(i, v)| gamma[i % c] * v + beta[i % c]).collect();
    Tensor64::new(x.shape, data)
}

/// `batch`: the moments are those of `x` itself, so that the gradient flows through them too.
pub(crate) fn backward(
    norm: BatchNorm,
    x: &Tensor64,
    moments: &Moments,
    batch: bool,
    gamma: &[f64],
    gy: &Tensor64,
) -> NormGradients {
    let (c, count) = (x.shape.c, x.shape.pixels() as f64);
    let normalized = normalize(norm, x, moments);
    let (mut g_gamma, mut g_beta) = (vec![0.0; c], vec![0.0; c]);
    for (i, g) in gy.data.iter().enumerate() {
        g_gamma[i % c] += g * normalized[i];
        g_beta[i % c] += g;
    }
    let input = gy.data.iter().enumerate().map(|(i, g)| {
        let k = i % c;
        let through_moments = if batch { (g_beta[k] + normalized[i] * g_gamma[k]) / count } else { 0.0 };
        gamma[k] * (g - through_moments) / deviation(norm, moments, k)
    });
    NormGradients { input: Tensor64::new(x.shape, input.collect()), gamma: g_gamma, beta: g_beta }
}

fn normalize(norm: BatchNorm, x: &Tensor64, moments: &Moments) -> Vec<f64> {
    let c = x.shape.c;
    let each = |(i, v): (usize, &f64)| (v - moments.mean[i % c]) / deviation(norm, moments, i % c);
    x.data.iter().enumerate().map(each).collect()
}

fn deviation(norm: BatchNorm, moments: &Moments, channel: usize) -> f64 {
    (moments.var[channel] + f64::from(norm.eps)).sqrt()
}

/// A batch norm of the input, or of more pixels than one.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let norm = BatchNorm {
        eps: draw.pick(&[1e-5, 1e-3]),
        momentum: draw.pick(&[0.1, 0.01, 1.0]),
        frozen: draw.pick(&[false, false, true]),
    };
    let y = if g.shape(x).pixels() < 2 { other_size(g, draw)? } else { x };
    g.batch_norm_with("bn", y, norm)
}
