//! Functions of single values.

use crate::attributes::float;
use crate::writer::{Value, Writer};
use dapple_graph::Pointwise;

/// First operator set that has `Gelu`.
const GELU: i64 = 20;

pub(crate) fn pointwise(w: &mut Writer, x: &str, function: Pointwise) -> Value {
    match function {
        Pointwise::Sigmoid => w.emit("Sigmoid", &[x], Vec::new()),
        Pointwise::Relu6 => {
            let [least, most] = [0.0, 6.0].map(|value| w.scalar(value));
            w.emit("Clip", &[x, &least, &most], Vec::new())
        }
        Pointwise::HardSigmoid => {
            w.emit("HardSigmoid", &[x], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)])
        }
        Pointwise::HardSwish => w.emit("HardSwish", &[x], Vec::new()),
        Pointwise::Silu => {
            let gate = w.emit("Sigmoid", &[x], Vec::new());
            w.emit("Mul", &[x, &gate], Vec::new())
        }
        Pointwise::Negative => w.emit("Neg", &[x], Vec::new()),
        Pointwise::Gelu if w.opset >= GELU => w.emit("Gelu", &[x], Vec::new()),
        Pointwise::Gelu => {
            // x / 2 (1 + erf(x / sqrt(2))).
            let [root, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|value| w.floats(&[value]));
            let scaled = w.emit("Div", &[x, &root], Vec::new());
            let erf = w.emit("Erf", &[&scaled], Vec::new());
            let gate = w.emit("Add", &[&erf, &one], Vec::new());
            let product = w.emit("Mul", &[x, &gate], Vec::new());
            w.emit("Mul", &[&product, &half], Vec::new())
        }
    }
}
