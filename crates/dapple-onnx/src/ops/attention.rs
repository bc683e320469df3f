//! Attention.

use crate::attributes::{int, ints};
use crate::writer::{Value, Writer};

/// `softmax(q k^T / sqrt(d)) v` over tokens, for each head of `d` channels.
pub(crate) fn attention(w: &mut Writer, inputs: &[&str], heads: usize, d: usize) -> Value {
    // [n, tokens, heads, d], then [n, heads, tokens, d]; 0 keeps the batch.
    let split = w.ints(&[0, -1, heads as i64, d as i64]);
    let [q, k, v] = [0, 1, 2].map(|i| w.emit("Reshape", &[inputs[i], &split], Vec::new()));
    let by_heads = || vec![ints("perm", [0, 2, 1, 3])];
    let q = w.emit("Transpose", &[&q], by_heads());
    let k = w.emit("Transpose", &[&k], vec![ints("perm", [0, 2, 3, 1])]);
    let v = w.emit("Transpose", &[&v], by_heads());
    let scale = w.floats(&[(1.0 / (d as f64).sqrt()) as f32]);
    let q = w.emit("Mul", &[&q, &scale], Vec::new());
    let scores = w.emit("MatMul", &[&q, &k], Vec::new());
    let shares = w.emit("Softmax", &[&scores], vec![int("axis", -1)]);
    let y = w.emit("MatMul", &[&shares, &v], Vec::new());
    let y = w.emit("Transpose", &[&y], by_heads());
    let joined = w.ints(&[0, -1, (heads * d) as i64]);
    w.emit("Reshape", &[&y, &joined], Vec::new())
}
