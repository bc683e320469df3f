//! The operations of dapple in ONNX's operators.

mod attention;
mod average;
mod conv;
mod norm;
mod pointwise;
mod pool;
mod sampling;

use crate::attributes::int;
use crate::writer::{Value, Writer};
use dapple_graph::{NodeId, Op};

/// Writes a node; `needed` says which nodes of the graph are written. Returns its value.
pub(crate) fn write(w: &mut Writer, id: NodeId, needed: &[bool]) -> Value {
    let node = w.graph.node(id).clone();
    let inputs: Vec<Value> = node.inputs.iter().map(|input| w.value(*input).to_owned()).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    match &node.op {
        Op::Input => w.value(id).to_owned(),
        Op::Conv2d { weight, bias, conv } => conv::conv(w, inputs[0], *weight, *bias, conv),
        Op::ConvTranspose2d { weight, bias, conv } => conv::transposed(w, inputs[0], *weight, *bias, conv),
        Op::BatchNorm { gamma, beta, mean, var, norm } => {
            norm::batch(w, inputs[0], [*gamma, *beta, *mean, *var], norm.eps)
        }
        Op::LayerNorm { gamma, beta, eps } => norm::layer(w, inputs[0], [*gamma, *beta], *eps),
        Op::GroupNorm { gamma, beta, groups, eps } => {
            norm::group(w, inputs[0], [*gamma, *beta], *groups, *eps)
        }
        Op::Relu => w.emit("Relu", &inputs, Vec::new()),
        Op::Pointwise(function) => pointwise::pointwise(w, inputs[0], *function),
        Op::MaxPool(pool) => pool::max_pool(w, id, inputs[0], pool, needed),
        Op::MaxUnpool { pool } => pool::max_unpool(w, inputs[0], *pool),
        Op::AdaptiveAvgPool => average::adaptive_avg_pool(w, node.inputs[0], [node.shape.h, node.shape.w]),
        Op::AvgPool(pool) => average::avg_pool(w, inputs[0], pool),
        Op::Resize { like, interpolation } => sampling::resize(w, node.inputs[0], *like, *interpolation),
        Op::Upscale { factor, interpolation } => sampling::upscale(w, inputs[0], *factor, *interpolation),
        Op::FitTo { like } => sampling::fit_to(w, node.inputs[0], *like),
        Op::Concat => w.emit("Concat", &inputs, vec![int("axis", 1)]),
        Op::Add => w.emit("Add", &inputs, Vec::new()),
        // A gate `[n, c, 1, 1]` is spread over the pixels by ONNX's rules for unequal shapes.
        Op::Mul => w.emit("Mul", &inputs, Vec::new()),
        Op::Scale { factor } => {
            // `[channels, 1, 1]` likewise.
            let factor = w.parameter(*factor);
            w.emit("Mul", &[inputs[0], &factor], Vec::new())
        }
        Op::Attention { heads } => attention::attention(w, &inputs, *heads, node.shape.c / heads),
        // Drops nothing outside of training.
        Op::Dropout { .. } | Op::DropPath { .. } => inputs[0].to_owned(),
    }
}
