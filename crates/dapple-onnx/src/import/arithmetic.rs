//! Sums, products and what is made of them.

use super::broadcast::{Beside, beside, fits, together, with_rank};
use super::builder::Builder;
use super::call::Call;
use super::constant::Constant;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use dapple_graph::{NodeId, Op, Pointwise};

/// `Add`, `Sub`, `Mul`, `Div` of a map or a part of attention and something else.
pub(crate) fn binary(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let op = call.node.op_type();
    match (call.input(0), call.input(1)) {
        (Some(Value::Map(map)), Some(Value::Known(constant))) => with_known(b, op, map, constant, false),
        (Some(Value::Known(constant)), Some(Value::Map(map))) => with_known(b, op, map, constant, true),
        (Some(Value::Map(x)), Some(Value::Map(y))) => match op {
            "Mul" => product(b, x, y),
            "Add" => sum(b, x, y, 1.0),
            "Sub" => sum(b, x, y, -1.0),
            _ => refuse("it divides by a map of the image"),
        },
        (Some(Value::Scores(scores)), Some(Value::Known(constant)))
        | (Some(Value::Known(constant)), Some(Value::Scores(scores))) => {
            let first = matches!(call.input(0), Some(Value::Scores(_)));
            let factor = match (op, constant.scalar()) {
                ("Mul", Some(value)) => value,
                ("Div", Some(value)) if first => value.recip(),
                ("Add", _) if constant.to_floats().iter().all(|&value| value == 0.0) => 1.0,
                _ => {
                    return refuse(
                        "it changes the scores of attention other than by a factor (a mask, a bias of positions)",
                    );
                }
            };
            let mut scores = scores.clone();
            scores.factor *= factor;
            Ok(Value::Scores(scores))
        }
        (Some(Value::Gate { x, factor, shift }), Some(Value::Known(constant)))
        | (Some(Value::Known(constant)), Some(Value::Gate { x, factor, shift })) => {
            match (op, constant.scalar()) {
                ("Mul", Some(value)) => {
                    Ok(Value::Gate { x: x.clone(), factor: factor * value, shift: *shift })
                }
                ("Add", Some(value)) if *shift == 0.0 && value == *factor => {
                    Ok(Value::Gate { x: x.clone(), factor: *factor, shift: 1.0 })
                }
                _ => refuse("Erf is read as a part of GELU only"),
            }
        }
        (Some(Value::Gate { x, factor, shift }), Some(Value::Map(map)))
        | (Some(Value::Map(map)), Some(Value::Gate { x, factor, shift })) => {
            if op != "Mul" || *shift != 1.0 || (map.node, &map.view) != (x.node, &x.view) {
                return refuse("Erf is read as a part of GELU only");
            }
            let node = b.graph.activate(x.node, Pointwise::Gelu)?;
            Ok(Value::Map(Map { node, view: x.view.clone(), factor: 2.0 * factor * map.factor }))
        }
        _ => {
            call.map(0)?;
            call.map(1)?;
            refuse("its inputs cannot be read together")
        }
    }
}

/// A map with a known tensor, which stands first where `swapped`.
fn with_known(
    b: &mut Builder,
    op: &str,
    map: &Map,
    constant: &Constant,
    swapped: bool,
) -> Result<Value, Refusal> {
    if op == "Div" && swapped {
        return refuse("it divides by a map of the image");
    }
    let (map, beside) = beside(b, map, constant)?;
    let sign = if op == "Sub" && swapped { -1.0 } else { 1.0 };
    let shift_sign = if op == "Sub" && !swapped { -1.0 } else { 1.0 };
    let scale = sign * map.factor;
    let node = match (op, beside) {
        ("Mul", Beside::One(value)) => return Ok(Value::Map(Map { factor: map.factor * value, ..map })),
        ("Div", Beside::One(value)) => return Ok(Value::Map(Map { factor: map.factor / value, ..map })),
        ("Mul", Beside::Channels(values)) => {
            let scale: Vec<f32> = values.iter().map(|value| map.factor * value).collect();
            if scale.iter().all(|&scale| scale == 1.0) {
                map.node
            } else {
                let shift = vec![0.0; scale.len()];
                b.affine(map.node, scale, shift)?
            }
        }
        ("Div", Beside::Channels(values)) => {
            let scale: Vec<f32> = values.iter().map(|value| map.factor / value).collect();
            let shift = vec![0.0; scale.len()];
            b.affine(map.node, scale, shift)?
        }
        (_, Beside::One(0.0)) => return Ok(Value::Map(Map { factor: scale, ..map })),
        (_, Beside::One(value)) => b.line(map.node, scale, shift_sign * value)?,
        (_, Beside::Channels(values)) => {
            let shift = values.iter().map(|value| shift_sign * value).collect();
            b.affine(map.node, vec![scale; values.len()], shift)?
        }
    };
    Ok(Value::Map(Map { node, factor: 1.0, ..map }))
}

/// `x + sign y`.
pub(crate) fn sum(b: &mut Builder, x: &Map, y: &Map, sign: f32) -> Result<Value, Refusal> {
    let y = Map { factor: sign * y.factor, ..y.clone() };
    // A common factor is multiplied in later.
    let (x, y, factor) = if x.factor == y.factor {
        (Map { factor: 1.0, ..x.clone() }, Map { factor: 1.0, ..y }, x.factor)
    } else {
        let nodes = [b.plain(x)?, b.plain(&y)?];
        (Map { node: nodes[0], factor: 1.0, ..x.clone() }, Map { node: nodes[1], factor: 1.0, ..y }, 1.0)
    };
    let (x, y, view) = together(b, &x, &y)?;
    let node = b.graph.add(x, y)?;
    Ok(Value::Map(Map { node, view, factor }))
}

/// `x y`; a value times its own gate is an activation.
pub(crate) fn product(b: &mut Builder, x: &Map, y: &Map) -> Result<Value, Refusal> {
    let factor = x.factor * y.factor;
    if x.view == y.view {
        for (value, gate) in [(x, y), (y, x)] {
            if let Some(function) = gated(b, value.node, gate.node) {
                let node = b.graph.activate(value.node, function)?;
                return Ok(Value::Map(Map { node, view: x.view.clone(), factor }));
            }
        }
    }
    // A gate of one pixel an image is not repeated over the pixels.
    let rank = x.view.axes.len().max(y.view.axes.len());
    let (x, y) = (with_rank(x, rank), with_rank(y, rank));
    for (value, gate) in [(&x, &y), (&y, &x)] {
        let (whole, part) = (b.shape(value.node), b.shape(gate.node));
        if part == whole.with_size(1, 1) && fits(b, value, gate) {
            let node = b.graph.mul(value.node, gate.node)?;
            return Ok(Value::Map(Map { node, view: value.view.clone(), factor }));
        }
    }
    let (left, right, view) = together(b, &x, &y)?;
    let node = b.graph.mul(left, right)?;
    Ok(Value::Map(Map { node, view, factor }))
}

/// The activation that a value times a function of itself is.
fn gated(b: &Builder, value: NodeId, gate: NodeId) -> Option<Pointwise> {
    let node = b.graph.node(gate);
    match node.op {
        Op::Pointwise(Pointwise::Sigmoid) if node.inputs[0] == value => Some(Pointwise::Silu),
        Op::Pointwise(Pointwise::HardSigmoid) if node.inputs[0] == value => Some(Pointwise::HardSwish),
        _ => None,
    }
}

/// `Sum` of several maps.
pub(crate) fn sum_of_all(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut total = Value::Map(call.map(0)?.clone());
    for index in 1..call.inputs.len() {
        let Value::Map(so_far) = &total else { return refuse("its inputs cannot be read together") };
        total = sum(b, &so_far.clone(), call.map(index)?, 1.0)?;
    }
    Ok(total)
}

/// `Pow` with a small whole exponent.
pub(crate) fn power(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let exponent = call.needed(1, "exponent")?.scalar();
    match exponent {
        Some(1.0) => Ok(Value::Map(map.clone())),
        Some(2.0) => product(b, map, map),
        Some(3.0) => match product(b, map, map)? {
            Value::Map(square) => product(b, &square, map),
            other => Ok(other),
        },
        _ => refuse("only exponents 1, 2 and 3 are read"),
    }
}
