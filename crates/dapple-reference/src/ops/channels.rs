//! Layer normalization, scaling and sums of channels.

use crate::Tensor64;
use crate::draw::Draw;
use dapple_graph::{Graph, GraphError, NodeId, Shape};

pub(crate) struct ChannelGradients {
    pub(crate) input: Tensor64,
    /// Of the factors of the channels.
    pub(crate) factor: Vec<f64>,
    /// Of what is added to the channels.
    pub(crate) shift: Vec<f64>,
}

/// `(x - mean) / sqrt(var + eps)` over the channels of each pixel, and that root's inverse for each pixel.
fn normalize(x: &Tensor64, eps: f32) -> (Vec<f64>, Vec<f64>) {
    let (mut data, mut inverses) = (Vec::new(), Vec::new());
    for pixel in x.data.chunks_exact(x.shape.c) {
        let count = pixel.len() as f64;
        let mean = pixel.iter().sum::<f64>() / count;
        let var = pixel.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let inverse = 1.0 / (var + f64::from(eps)).sqrt();
        data.extend(pixel.iter().map(|v| (v - mean) * inverse));
        inverses.push(inverse);
    }
    (data, inverses)
}

pub(crate) fn layer_norm(x: &Tensor64, gamma: &[f64], beta: &[f64], eps: f32) -> Tensor64 {
    let (mut data, _) = normalize(x, eps);
    data.iter_mut().enumerate().for_each(|(i, v)| *v = *v * gamma[i % x.shape.c] + beta[i % x.shape.c]);
    Tensor64::new(x.shape, data)
}

pub(crate) fn layer_norm_backward(x: &Tensor64, gamma: &[f64], eps: f32, gy: &Tensor64) -> ChannelGradients {
    let c = x.shape.c;
    let (normalized, inverses) = normalize(x, eps);
    let (mut factor, mut shift) = (vec![0.0; c], vec![0.0; c]);
    let mut input = Tensor64::zeros(x.shape);
    for (pixel, inverse) in inverses.iter().enumerate() {
        let (z, g) = (&normalized[pixel * c..(pixel + 1) * c], &gy.data[pixel * c..(pixel + 1) * c]);
        let scaled: Vec<f64> = g.iter().zip(gamma).map(|(g, gamma)| g * gamma).collect();
        let mean = scaled.iter().sum::<f64>() / c as f64;
        let along = scaled.iter().zip(z).map(|(s, z)| s * z).sum::<f64>() / c as f64;
        for i in 0..c {
            input.data[pixel * c + i] = inverse * (scaled[i] - mean - z[i] * along);
            factor[i] += g[i] * z[i];
            shift[i] += g[i];
        }
    }
    ChannelGradients { input, factor, shift }
}

pub(crate) fn scale(x: &Tensor64, factor: &[f64]) -> Tensor64 {
    let c = x.shape.c;
    Tensor64::new(x.shape, x.data.iter().enumerate().map(|(i, v)| v * factor[i % c]).collect())
}

/// `shift` stays empty: nothing is added.
pub(crate) fn scale_backward(x: &Tensor64, factor: &[f64], gy: &Tensor64) -> ChannelGradients {
    let mut gradients =
        ChannelGradients { input: scale(gy, factor), factor: vec![0.0; x.shape.c], shift: Vec::new() };
    for (i, (x, g)) in x.data.iter().zip(&gy.data).enumerate() {
        gradients.factor[i % factor.len()] += x * g;
    }
    gradients
}

/// The sum of each pixel's channels in every channel of the shape.
pub(crate) fn sum(x: &Tensor64, shape: Shape) -> Tensor64 {
    let sums = x.data.chunks_exact(x.shape.c).map(|pixel| pixel.iter().sum::<f64>());
    Tensor64::new(shape, sums.flat_map(|sum| std::iter::repeat_n(sum, shape.c)).collect())
}

/// A layer norm of the input.
pub(crate) fn random_layer_norm(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    g.layer_norm("ln", g.input(), draw.pick(&[1e-5, 1e-6, 1e-2]))
}

/// The input times factors of its channels.
pub(crate) fn random_scale(g: &mut Graph) -> Result<NodeId, GraphError> {
    g.scale("scale", g.input(), 1.0)
}

/// A sum of the channels, here and there in more channels than one vector has.
pub(crate) fn random_sum(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    g.channel_sum(g.input(), draw.pick(&[1, 2, 5, 16, 17, 40]))
}
