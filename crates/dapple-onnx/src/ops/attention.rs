//! Attention.

use crate::attributes::{int, ints};
use crate::size::shape_of;
use crate::writer::{Value, Writer};

/// `softmax(q k^T / sqrt(d)) v` over pixels, for each head of `d` channels.
pub(crate) fn attention(w: &mut Writer, inputs: &[&str], heads: usize, d: usize) -> Value {
    // [n, heads, d, pixels]; 0 keeps the batch.
    let split = w.ints(&[0, heads as i64, d as i64, -1]);
    let swap = || vec![ints("perm", [0, 1, 3, 2])];
    let [q, k, v] = [0, 1, 2].map(|i| w.emit("Reshape", &[inputs[i], &split], Vec::new()));
    let q = w.emit("Transpose", &[&q], swap());
    let v = w.emit("Transpose", &[&v], swap());
    let scale = w.floats(&[(1.0 / (d as f64).sqrt()) as f32]);
    let q = w.emit("Mul", &[&q, &scale], Vec::new());
    let scores = w.emit("MatMul", &[&q, &k], Vec::new());
    let shares = w.emit("Softmax", &[&scores], vec![int("axis", -1)]);
    let y = w.emit("MatMul", &[&shares, &v], Vec::new());
    let y = w.emit("Transpose", &[&y], swap());
    let shape = shape_of(w, inputs[0]);
    w.emit("Reshape", &[&y, &shape], Vec::new())
}
