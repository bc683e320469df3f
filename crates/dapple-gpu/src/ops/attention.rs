//! Multi-head scaled dot-product attention over pixels.

use super::Map;
use burn_tensor::activation;

/// Queries `[n, h, w, c]`, keys and values `[n, h2, w2, c]`.
pub(crate) fn attention(q: Map, k: Map, v: Map, heads: usize) -> Map {
    let shape @ [.., c] = q.dims();
    let scale = 1.0 / ((c / heads) as f32).sqrt();
    let (q, k, v) = (split(q * scale, heads), split(k, heads), split(v, heads));
    let weights = activation::softmax(q.matmul(k.swap_dims(2, 3)), 3);
    weights.matmul(v).swap_dims(1, 2).reshape(shape)
}

/// `[n, heads, pixels, c / heads]`.
fn split(x: Map, heads: usize) -> Map {
    let [n, h, w, c] = x.dims();
    x.reshape([n, h * w, heads, c / heads]).swap_dims(1, 2)
}
