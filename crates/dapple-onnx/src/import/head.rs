//! The end of a network: the function of the logits that a file computes, which is left out.

use super::call::Call;
use super::constant::{Constant, axis_of};
use crate::proto::NodeProto;
use std::collections::HashMap;

/// The function of the logits at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// None: logits.
    Logits,
    /// A sigmoid of each value.
    Sigmoid,
    /// A softmax over the channels.
    Softmax,
    /// The channel of the largest value.
    ArgMax,
    /// Whether a value is above the threshold of its class.
    Threshold,
}

/// The logits of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// Name of their value.
    pub logits: String,
    pub ending: Ending,
    /// The axes that softmax and choice go over, as the file counts those of the logits.
    pub axes: Vec<i64>,
}

/// Most steps from an output to its logits.
const MOST_STEPS: usize = 16;

/// Follows an output back to the logits.
pub(crate) fn find(
    output: &str,
    makers: &HashMap<&str, &NodeProto>,
    constants: &dyn Fn(&str) -> Option<Constant>,
    opset: i64,
) -> Head {
    let mut head = Head { logits: output.to_owned(), ending: Ending::Logits, axes: Vec::new() };
    let mut at = output.to_owned();
    // A comparison with one half needs the sigmoid before it.
    let mut half = false;
    // The axis of the choice, where it stands at the value that is looked at.
    let mut choice = Vec::new();
    for _ in 0..MOST_STEPS {
        let Some(node) = makers.get(at.as_str()).copied() else { break };
        let call = Call { node, inputs: Vec::new(), opset };
        let Some(input) = node.input.first() else { break };
        let axis = call.int("axis");
        match (node.op_type(), head.ending) {
            // Quantized files round what the function gives.
            ("Identity" | "Cast" | "QuantizeLinear" | "DequantizeLinear", _)
            | ("Squeeze" | "Unsqueeze" | "Transpose", Ending::Logits) => {}
            ("ArgMax", Ending::Logits) if !half => {
                choice = vec![axis.unwrap_or(0)];
                head = Head { logits: input.clone(), ending: Ending::ArgMax, axes: choice.clone() };
            }
            ("Transpose", Ending::ArgMax) => {
                let order = call.ints("perm").unwrap_or(&[]);
                let before = choice.iter().map(|&axis| axis_of(axis, order.len()).map(|axis| order[axis]));
                let Some(before) = before.collect::<Option<Vec<i64>>>() else { break };
                choice = before;
            }
            ("Greater" | "GreaterOrEqual", Ending::Logits) if !half => {
                let bound =
                    node.input.get(1).and_then(|name| constants(name)).and_then(|bound| bound.scalar());
                match bound {
                    Some(0.0) => {
                        head = Head { logits: input.clone(), ending: Ending::Threshold, axes: Vec::new() };
                    }
                    Some(0.5) => half = true,
                    _ => break,
                }
            }
            ("Softmax", Ending::Logits | Ending::ArgMax) if !half => {
                choice.push(axis.unwrap_or(if opset < 13 { 1 } else { -1 }));
                let ending = if head.ending == Ending::ArgMax { Ending::ArgMax } else { Ending::Softmax };
                return Head { logits: input.clone(), ending, axes: choice };
            }
            ("Sigmoid", Ending::Logits | Ending::ArgMax) => {
                let ending = match (half, head.ending) {
                    (true, _) => Ending::Threshold,
                    (false, Ending::ArgMax) => Ending::ArgMax,
                    (false, _) => Ending::Sigmoid,
                };
                return Head { logits: input.clone(), ending, axes: choice };
            }
            _ => break,
        }
        at.clone_from(input);
    }
    head
}
