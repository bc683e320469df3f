//! Multi-head scaled dot-product attention over pixels.

use crate::Tensor64;
use crate::draw::{Draw, other_size};
use crate::tensor::index;
use dapple_graph::{Conv2d, Graph, GraphError, NodeId, Shape};

/// One head of one image: the weights `[queries, keys]` and where its values stand.
struct Head {
    weights: Vec<Vec<f64>>,
    scale: f64,
    n: usize,
    first: usize,
    width: usize,
}

impl Head {
    /// Index of channel `i` of the head at a pixel (row-major) of a map of this shape.
    fn at(&self, shape: Shape, pixel: usize, i: usize) -> usize {
        index(shape, self.n, pixel / shape.w, pixel % shape.w, self.first + i)
    }
}

/// Calls `visit` for each head of each image.
fn each_head(q: &Tensor64, k: &Tensor64, heads: usize, mut visit: impl FnMut(&Head)) {
    let width = q.shape.c / heads;
    for n in 0..q.shape.n {
        for first in (0..q.shape.c).step_by(width) {
            let scale = 1.0 / (width as f64).sqrt();
            let mut head = Head { weights: Vec::new(), scale, n, first, width };
            for query in 0..q.shape.h * q.shape.w {
                let score = |key: usize| -> f64 {
                    let product = |i| q.data[head.at(q.shape, query, i)] * k.data[head.at(k.shape, key, i)];
                    scale * (0..width).map(product).sum::<f64>()
                };
                let scores: Vec<f64> = (0..k.shape.h * k.shape.w).map(score).collect();
                let largest = scores.iter().fold(f64::NEG_INFINITY, |m, &s| m.max(s));
                let powers: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
                let sum: f64 = powers.iter().sum();
                head.weights.push(powers.iter().map(|p| p / sum).collect());
            }
            visit(&head);
        }
    }
}

pub(crate) fn forward(q: &Tensor64, k: &Tensor64, v: &Tensor64, heads: usize) -> Tensor64 {
    let mut y = Tensor64::zeros(q.shape);
    each_head(q, k, heads, |head| {
        for (query, weights) in head.weights.iter().enumerate() {
            for (key, weight) in weights.iter().enumerate() {
                for i in 0..head.width {
                    y.data[head.at(q.shape, query, i)] += weight * v.data[head.at(v.shape, key, i)];
                }
            }
        }
    });
    y
}

/// The gradients of queries, keys and values.
pub(crate) fn backward(
    q: &Tensor64,
    k: &Tensor64,
    v: &Tensor64,
    heads: usize,
    gy: &Tensor64,
) -> Vec<Tensor64> {
    let (mut gq, mut gk, mut gv) =
        (Tensor64::zeros(q.shape), Tensor64::zeros(k.shape), Tensor64::zeros(v.shape));
    each_head(q, k, heads, |head| {
        for (query, weights) in head.weights.iter().enumerate() {
            let of_weight = |key: usize| -> f64 {
                let product = |i| gy.data[head.at(gy.shape, query, i)] * v.data[head.at(v.shape, key, i)];
                (0..head.width).map(product).sum()
            };
            let of_weights: Vec<f64> = (0..weights.len()).map(of_weight).collect();
            let mean: f64 = weights.iter().zip(&of_weights).map(|(w, g)| w * g).sum();
            for (key, weight) in weights.iter().enumerate() {
                let of_score = head.scale * weight * (of_weights[key] - mean);
                for i in 0..head.width {
                    let (query, key) = (head.at(q.shape, query, i), head.at(k.shape, key, i));
                    gv.data[key] += weight * gy.data[query];
                    gq.data[query] += of_score * k.data[key];
                    gk.data[key] += of_score * q.data[query];
                }
            }
        }
    });
    vec![gq, gk, gv]
}

/// Attention with queries of the input and keys of the same or another size.
pub(crate) fn random(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let heads = draw.pick(&[1, 1, 2, 3, 5, 8]);
    let width = draw.pick(&[1, 3, 8, 16, 20, 32]);
    let keys = if draw.one_in(2) { x } else { other_size(g, draw)? };
    let q = g.conv2d("q", x, &Conv2d::new(heads * width, 1))?;
    let k = g.conv2d("k", keys, &Conv2d::new(heads * width, 1))?;
    let v = g.conv2d("v", keys, &Conv2d::new(heads * width, 1))?;
    let (q, k, v) = if keys == x && draw.one_in(4) { (q, q, q) } else { (q, k, v) };
    g.attention(q, k, v, heads)
}
