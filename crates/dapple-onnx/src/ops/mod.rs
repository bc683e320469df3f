//! The operations of dapple in ONNX's operators.

mod conv;
mod pool;
mod sampling;

use crate::attributes::{float, int};
use crate::writer::{Value, Writer};
use dapple_graph::{NodeId, Op};

/// Writes a node; `needed` says which nodes of the graph are written. Returns its value.
pub(crate) fn write(w: &mut Writer, id: NodeId, needed: &[bool]) -> Value {
    let node = w.graph.node(id).clone();
    let inputs: Vec<Value> = node.inputs.iter().map(|input| w.value(*input).to_owned()).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    match &node.op {
        Op::Input => inputs[0].to_owned(),
        Op::Conv2d { weight, bias, conv } => conv::conv(w, inputs[0], *weight, *bias, conv),
        Op::ConvTranspose2d { weight, bias, conv } => conv::transposed(w, inputs[0], *weight, *bias, conv),
        Op::BatchNorm { gamma, beta, mean, var, norm } => {
            let [g, b, m, v] = [gamma, beta, mean, var].map(|param| w.parameter(*param));
            w.emit("BatchNormalization", &[inputs[0], &g, &b, &m, &v], vec![float("epsilon", norm.eps)])
        }
        Op::Relu => w.emit("Relu", &inputs, Vec::new()),
        Op::MaxPool(pool) => pool::max_pool(w, id, inputs[0], pool, needed),
        Op::MaxUnpool { pool } => pool::max_unpool(w, inputs[0], *pool),
        Op::Resize { like, interpolation } => sampling::resize(w, node.inputs[0], *like, *interpolation),
        Op::Upscale { factor, interpolation } => sampling::upscale(w, inputs[0], *factor, *interpolation),
        Op::FitTo { like } => sampling::fit_to(w, node.inputs[0], *like),
        Op::Concat => w.emit("Concat", &inputs, vec![int("axis", 1)]),
        Op::Add => w.emit("Add", &inputs, Vec::new()),
    }
}
