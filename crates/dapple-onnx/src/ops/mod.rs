//! The operations of dapple in ONNX's operators.

mod attention;
mod average;
mod conv;
mod norm;
mod pointwise;
mod pool;
mod sampling;

pub(crate) use sampling::resized;

use crate::attributes::int;
use crate::layout::{image, is_tokens, tokens};
use crate::writer::{Value, Writer};
use dapple_graph::{Node, NodeId, Op};

/// Writes a node; `needed` says which nodes of the graph are written.
pub(crate) fn write(w: &mut Writer, id: NodeId, needed: &[bool]) {
    let node = w.graph.node(id).clone();
    if let Op::Dropout { .. } | Op::DropPath { .. } = node.op {
        // Drops nothing outside of training.
        let input = node.inputs[0];
        if let Some(value) = w.value_if_written(input).map(str::to_owned) {
            w.set_value(id, value);
        }
        if let Some(tokens) = w.tokens.get(&input).cloned() {
            w.tokens.insert(id, tokens);
        }
    } else if let Some(tokens) = over_tokens(w, &node) {
        w.tokens.insert(id, tokens);
    } else {
        let value = over_images(w, id, &node, needed);
        w.set_value(id, value);
    }
}

/// Writes a node whose result is tokens: layer norms and attention always, linear layers and functions of single values
/// where their input is.
fn over_tokens(w: &mut Writer, node: &Node) -> Option<Value> {
    let first = *node.inputs.first()?;
    let follows = is_tokens(w, first);
    let fits = match &node.op {
        Op::LayerNorm { .. } | Op::Attention { .. } => true,
        Op::Conv2d { conv, .. } => follows && conv::is_pointwise(conv),
        Op::Relu | Op::Pointwise(_) | Op::Scale { .. } => follows,
        Op::Add => node.inputs.iter().any(|&input| is_tokens(w, input)),
        _ => false,
    };
    if !fits {
        return None;
    }
    let inputs: Vec<Value> = node.inputs.iter().map(|&input| tokens(w, input)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    Some(match &node.op {
        Op::LayerNorm { gamma, beta, eps } => norm::layer(w, inputs[0], [*gamma, *beta], *eps),
        Op::Attention { heads } => attention::attention(w, &inputs, *heads, node.shape.c / heads),
        Op::Conv2d { weight, bias, .. } => conv::linear(w, inputs[0], *weight, *bias),
        Op::Relu => w.emit("Relu", &inputs, Vec::new()),
        Op::Pointwise(function) => pointwise::pointwise(w, inputs[0], *function),
        Op::Scale { factor } => {
            let (factor, flat) = (w.parameter(*factor), w.ints(&[-1]));
            let factor = w.emit("Reshape", &[&factor, &flat], Vec::new());
            w.emit("Mul", &[inputs[0], &factor], Vec::new())
        }
        _ => w.emit("Add", &inputs, Vec::new()),
    })
}

/// Writes a node whose result is images.
fn over_images(w: &mut Writer, id: NodeId, node: &Node, needed: &[bool]) -> Value {
    let inputs: Vec<Value> = node.inputs.iter().map(|&input| image(w, input)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    match &node.op {
        Op::Conv2d { weight, bias, conv } => conv::conv(w, inputs[0], *weight, *bias, conv),
        Op::ConvTranspose2d { weight, bias, conv } => conv::transposed(w, inputs[0], *weight, *bias, conv),
        Op::BatchNorm { gamma, beta, mean, var, norm } => {
            norm::batch(w, inputs[0], [*gamma, *beta, *mean, *var], norm.eps)
        }
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
        Op::ChannelSum => {
            let channels = w.ints(&[1]);
            let sum = w.emit("ReduceSum", &[inputs[0], &channels], vec![int("keepdims", 1)]);
            // One factor for each channel spreads it.
            let (ones, spread) = (w.floats(&vec![1.0; node.shape.c]), w.ints(&[-1, 1, 1]));
            let ones = w.emit("Reshape", &[&ones, &spread], Vec::new());
            w.emit("Mul", &[&sum, &ones], Vec::new())
        }
        Op::Concat => w.emit("Concat", &inputs, vec![int("axis", 1)]),
        Op::Add => w.emit("Add", &inputs, Vec::new()),
        // A gate `[n, c, 1, 1]` is spread over the pixels by ONNX's rules for unequal shapes.
        Op::Mul => w.emit("Mul", &inputs, Vec::new()),
        Op::Scale { factor } => {
            // `[channels, 1, 1]` likewise.
            let factor = w.parameter(*factor);
            w.emit("Mul", &[inputs[0], &factor], Vec::new())
        }
        Op::LayerNorm { .. } | Op::Attention { .. } => unreachable!("they are written over tokens"),
        Op::Input | Op::Dropout { .. } | Op::DropPath { .. } => unreachable!("they have no operator"),
    }
}
