//! Normalizations.

use crate::attributes::{float, int};
use crate::size::shape_of;
use crate::writer::{Value, Writer};
use dapple_graph::ParamId;

/// Batch norm with its running statistics: scale, shift, mean, variance.
pub(crate) fn batch(w: &mut Writer, x: &str, params: [ParamId; 4], eps: f32) -> Value {
    let [gamma, beta, mean, var] = params.map(|param| w.parameter(param));
    w.emit("BatchNormalization", &[x, &gamma, &beta, &mean, &var], vec![float("epsilon", eps)])
}

/// Over the channels of each token.
pub(crate) fn layer(w: &mut Writer, x: &str, params: [ParamId; 2], eps: f32) -> Value {
    let [gamma, beta] = params.map(|param| w.parameter(param));
    let settings = vec![int("axis", -1), float("epsilon", eps)];
    w.emit("LayerNormalization", &[x, &gamma, &beta], settings)
}

/// Over runs of channels: an instance norm of maps with all values of a group side by side, then scale and shift of
/// each channel. (`GroupNormalization` had scales of groups instead of channels before opset 21.)
pub(crate) fn group(w: &mut Writer, x: &str, params: [ParamId; 2], groups: usize, eps: f32) -> Value {
    let shape = shape_of(w, x);
    let flat = w.ints(&[0, groups as i64, -1]);
    let [ones, zeros] = [1.0, 0.0].map(|value| w.floats(&vec![value; groups]));
    let y = w.emit("Reshape", &[x, &flat], Vec::new());
    let y = w.emit("InstanceNormalization", &[&y, &ones, &zeros], vec![float("epsilon", eps)]);
    let y = w.emit("Reshape", &[&y, &shape], Vec::new());
    let column = w.ints(&[-1, 1, 1]);
    let [gamma, beta] = params.map(|param| {
        let values = w.parameter(param);
        w.emit("Reshape", &[&values, &column], Vec::new())
    });
    let y = w.emit("Mul", &[&y, &gamma], Vec::new());
    w.emit("Add", &[&y, &beta], Vec::new())
}
