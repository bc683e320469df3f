//! Functions of single values.

use super::arithmetic::{product, sum};
use super::broadcast::{Beside, beside};
use super::builder::Builder;
use super::call::Call;
use super::constant::Constant;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use dapple_graph::{NodeId, Pointwise};
use std::f32::consts::FRAC_1_SQRT_2;

/// A function of each value of the first input.
pub(crate) fn activation(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let op = call.node.op_type();
    let map = call.map(0)?;
    if op == "Erf" {
        if (map.factor - FRAC_1_SQRT_2).abs() > 1e-6 {
            return refuse("Erf is read as a part of GELU only");
        }
        return Ok(Value::Gate { x: Map { factor: 1.0, ..map.clone() }, factor: 1.0, shift: 0.0 });
    }
    if op == "Neg" {
        return Ok(Value::Map(Map { factor: -map.factor, ..map.clone() }));
    }
    let x = b.plain(map)?;
    let node = match op {
        "Relu" => b.graph.relu(x)?,
        "Sigmoid" => b.graph.activate(x, Pointwise::Sigmoid)?,
        "HardSwish" => b.graph.activate(x, Pointwise::HardSwish)?,
        "HardSigmoid" => {
            let (alpha, beta) = (call.float("alpha").unwrap_or(0.2), call.float("beta").unwrap_or(0.5));
            if (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5 {
                b.graph.activate(x, Pointwise::HardSigmoid)?
            } else {
                let x = b.line(x, alpha, beta)?;
                clip(b, x, 0.0, 1.0)?
            }
        }
        "Tanh" => tanh(b, x)?,
        "Gelu" if call.text("approximate") == Some("tanh") => return gelu_by_tanh(b, map, x),
        "Gelu" => b.graph.activate(x, Pointwise::Gelu)?,
        "Abs" => {
            let positive = b.graph.relu(x)?;
            let negative = b.line(x, -1.0, 0.0)?;
            let negative = b.graph.relu(negative)?;
            b.graph.add(positive, negative)?
        }
        "LeakyRelu" => {
            let alpha = call.float("alpha").unwrap_or(0.01);
            let channels = b.shape(x).c;
            leaky(b, x, vec![alpha; channels])?
        }
        _ => return refuse("it is not a function that can be read"),
    };
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}

/// `tanh(x) = 2 sigmoid(2 x) - 1`.
fn tanh(b: &mut Builder, x: NodeId) -> Result<NodeId, Refusal> {
    let x = b.line(x, 2.0, 0.0)?;
    let x = b.graph.activate(x, Pointwise::Sigmoid)?;
    b.line(x, 2.0, -1.0)
}

/// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2` (Hendrycks and Gimpel 2016), which is `x` times a sigmoid.
fn gelu_by_tanh(b: &mut Builder, map: &Map, x: NodeId) -> Result<Value, Refusal> {
    let x = Map { node: x, view: map.view.clone(), factor: 1.0 };
    let cube = match product(b, &x, &x)? {
        Value::Map(square) => product(b, &square, &x)?,
        other => other,
    };
    let Value::Map(cube) = cube else { return refuse("its input cannot be read") };
    let inner = sum(b, &x, &Map { factor: 0.044_715 * cube.factor, ..cube }, 1.0)?;
    let Value::Map(inner) = inner else { return refuse("its input cannot be read") };
    let scale = 2.0 * std::f32::consts::FRAC_2_PI.sqrt();
    let inner = b.plain(&Map { factor: scale * inner.factor, ..inner })?;
    let gate = b.graph.activate(inner, Pointwise::Sigmoid)?;
    product(b, &x, &Map { node: gate, ..x.clone() })
}

/// `slope x + (1 - slope) max(x, 0)`, a slope for each channel.
fn leaky(b: &mut Builder, x: NodeId, slopes: Vec<f32>) -> Result<NodeId, Refusal> {
    let channels = slopes.len();
    let positive = b.graph.relu(x)?;
    let rest = slopes.iter().map(|slope| 1.0 - slope).collect();
    let positive = b.affine(positive, rest, vec![0.0; channels])?;
    let line = b.affine(x, slopes, vec![0.0; channels])?;
    Ok(b.graph.add(line, positive)?)
}

/// `PRelu`, whose slopes are known.
pub(crate) fn prelu(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let slopes = call.needed(1, "slope")?;
    let node = b.plain(call.map(0)?)?;
    let map = Map { node, factor: 1.0, ..call.map(0)?.clone() };
    let (map, slopes) = beside(b, &map, slopes)?;
    let channels = b.shape(map.node).c;
    let slopes = match slopes {
        Beside::One(value) => vec![value; channels],
        Beside::Channels(values) => values,
    };
    let node = leaky(b, map.node, slopes)?;
    Ok(Value::Map(Map { node, ..map }))
}

/// `Clip`, and `Max` and `Min` with a number.
pub(crate) fn bounded(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let bound = |constant: Option<&Constant>| match constant.map(|constant| (constant, constant.scalar())) {
        None => Ok(None),
        Some((_, Some(value))) => Ok(Some(value)),
        Some((constant, None)) => {
            let values = constant.to_floats();
            match values.first() {
                Some(&first) if values.iter().all(|&value| value == first) => Ok(Some(first)),
                _ => refuse("its bounds differ between values"),
            }
        }
    };
    let op = call.node.op_type();
    let (map, least, most) = if op == "Clip" {
        let least = call.float("min").or(bound(call.known(1, "least value")?)?);
        let most = call.float("max").or(bound(call.known(2, "largest value")?)?);
        (call.map(0)?, least, most)
    } else {
        let (map, value) = match (call.input(0), call.input(1)) {
            (Some(Value::Map(map)), Some(Value::Known(constant)))
            | (Some(Value::Known(constant)), Some(Value::Map(map)))
                if call.inputs.len() == 2 =>
            {
                (map, bound(Some(constant))?)
            }
            _ => return refuse("it is read for a map and a number only"),
        };
        if op == "Max" { (map, value, None) } else { (map, None, value) }
    };
    let x = b.plain(map)?;
    let (least, most) = (least.unwrap_or(f32::NEG_INFINITY), most.unwrap_or(f32::INFINITY));
    let node = clip(b, x, least, most)?;
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}

/// Magnitude of bounds, and length of ranges, beside which single precision leaves usual values too few digits in a sum.
const WIDE: f32 = 1e3;

/// `min(max(x, least), most)`.
pub(crate) fn clip(b: &mut Builder, x: NodeId, least: f32, most: f32) -> Result<NodeId, Refusal> {
    // Bounds that no value of a network reaches are none.
    let (has_least, has_most) = (least > -1e30, most < 1e30);
    match (has_least, has_most) {
        (false, false) => Ok(x),
        // What is beyond a far bound is taken off: values within stay as they are.
        (true, false) if least.abs() > WIDE => {
            let below = b.line(x, -1.0, least)?;
            let below = b.graph.relu(below)?;
            Ok(b.graph.add(x, below)?)
        }
        (false, true) if most.abs() > WIDE => {
            let above = b.line(x, 1.0, -most)?;
            let above = b.graph.relu(above)?;
            let above = b.line(above, -1.0, 0.0)?;
            Ok(b.graph.add(x, above)?)
        }
        (true, true) if most > least && most - least > WIDE => {
            let x = clip(b, x, least, f32::INFINITY)?;
            clip(b, x, f32::NEG_INFINITY, most)
        }
        (true, false) => {
            let x = b.line(x, 1.0, -least)?;
            let x = b.graph.relu(x)?;
            b.line(x, 1.0, least)
        }
        (false, true) => {
            let x = b.line(x, -1.0, most)?;
            let x = b.graph.relu(x)?;
            b.line(x, -1.0, most)
        }
        (true, true) if most > least => {
            // The range becomes that of ReLU6.
            let scale = 6.0 / (most - least);
            let x = b.line(x, scale, -least * scale)?;
            let x = b.graph.activate(x, Pointwise::Relu6)?;
            b.line(x, scale.recip(), least)
        }
        (true, true) => refuse("its least value is not below its largest"),
    }
}
