//! Which operator is read by what.

use super::activation::{activation, bounded, prelu};
use super::arithmetic::{binary, power, sum_of_all};
use super::builder::Builder;
use super::call::Call;
use super::constant::{Constant, axis_of};
use super::conv::{conv, transposed};
use super::fold::{all_known, fold, shape_of};
use super::movement::{blocks, concat, pad, reshape, take, transpose};
use super::places::{chosen, slices, split};
use super::pool::{average_pool, global, max_pool, max_pool_with_positions, unpool};
use super::product::{gemm, matmul, softmax};
use super::quantize::{dequantize, quantize};
use super::reduce::reduce;
use super::refusal::{Refusal, refuse};
use super::resample::{expand, resize};
use super::value::{Map, Value};
use super::{norm, read};
use crate::proto::DataType;

/// The values that a node makes.
pub(crate) fn run(b: &mut Builder, call: &Call<'_>) -> Result<Vec<Value>, Refusal> {
    let op = call.node.op_type();
    if !matches!(call.node.domain(), "" | "ai.onnx") {
        return refuse(format!(
            "it is of the operators `{}`, which are not read",
            call.node.domain().escape_debug()
        ));
    }
    if !is_read(op) {
        return refuse("there is no such operation here");
    }
    if call.inputs.iter().flatten().any(|value| matches!(value, Value::Lost)) {
        return Ok(vec![Value::Lost; call.node.output.len()]);
    }
    if op == "Dropout" {
        let mode = call.known(2, "training mode")?.and_then(Constant::scalar);
        if mode.is_some_and(|mode| mode != 0.0) {
            return refuse("it is in training mode; export the model in evaluation mode");
        }
    }
    if op == "Constant" {
        return Ok(vec![Value::Known(constant(call)?)]);
    }
    if op == "Shape" {
        let dims = call.input(0).and_then(Value::dims).ok_or_else(|| Refusal::from("it has no input"))?;
        return Ok(vec![Value::Known(shape_of(call, &dims)?)]);
    }
    if all_known(call) {
        return match fold(call)? {
            Some(values) => Ok(values.into_iter().map(Value::Known).collect()),
            None => refuse("it is not computed over constants"),
        };
    }
    if op == "Split" {
        let map = call.map(0)?;
        let (axis, parts) = split(call, &map.dims())?;
        let mut values = Vec::with_capacity(parts.len());
        for part in parts {
            values.push(Value::Map(take(b, map, axis, &part.collect::<Vec<_>>())?));
        }
        return Ok(values);
    }
    if op == "MaxPool" && call.node.output.get(1).is_some_and(|name| !name.is_empty()) {
        return max_pool_with_positions(b, call);
    }
    Ok(vec![one(b, call, op)?])
}

/// The value of a node that makes one.
fn one(b: &mut Builder, call: &Call<'_>, op: &str) -> Result<Value, Refusal> {
    match op {
        "Identity" | "Dropout" => call.input(0).cloned().ok_or_else(|| Refusal::from("it has no input")),
        "Cast" | "CastLike" => cast(call),
        "Add" | "Sub" | "Mul" | "Div" => binary(b, call),
        "Sum" => sum_of_all(b, call),
        "Pow" => power(b, call),
        "Clip" | "Max" | "Min" => bounded(b, call),
        "Relu" | "Sigmoid" | "HardSigmoid" | "HardSwish" | "Tanh" | "Gelu" | "Erf" | "Abs" | "Neg"
        | "LeakyRelu" => activation(b, call),
        "PRelu" => prelu(b, call),
        "Conv" => conv(b, call),
        "ConvTranspose" => transposed(b, call),
        "MaxPool" => max_pool(b, call),
        "AveragePool" => average_pool(b, call),
        "GlobalAveragePool" | "GlobalMaxPool" => global(b, call),
        "BatchNormalization" => norm::batch(b, call),
        "LayerNormalization" => norm::layer(b, call),
        "InstanceNormalization" => norm::instance(b, call),
        "GroupNormalization" => norm::group(b, call),
        "Resize" | "Upsample" => resize(b, call),
        "Expand" | "Tile" => expand(b, call),
        "MatMul" => matmul(b, call),
        "Gemm" => gemm(b, call),
        "Softmax" => softmax(call),
        "ReduceMean" | "ReduceSum" | "ReduceMax" => reduce(b, call),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => reshape(call),
        "Transpose" => transpose(call),
        "DepthToSpace" | "SpaceToDepth" => blocks(b, call),
        "Concat" => concat(b, call),
        "Pad" => pad(b, call),
        "Slice" => slice(b, call),
        "Gather" => gather(b, call),
        "QuantizeLinear" => quantize(b, call),
        "DequantizeLinear" => dequantize(b, call),
        "IsNaN" => {
            let dims = call.input(0).and_then(Value::dims).unwrap_or_default();
            Ok(Value::Never(dims))
        }
        "ScatterElements" => unpool(b, call),
        "Where" => choose(call),
        _ => refuse("it is read over constants only"),
    }
}

/// All operators that are read, some of them over constants only.
fn is_read(op: &str) -> bool {
    const READ: &[&str] = &[
        "Abs",
        "Add",
        "And",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "CastLike",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "DequantizeLinear",
        "Div",
        "Dropout",
        "Equal",
        "Erf",
        "Exp",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Gelu",
        "Gemm",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Greater",
        "GreaterOrEqual",
        "GroupNormalization",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "InstanceNormalization",
        "IsNaN",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pad",
        "Pow",
        "QuantizeLinear",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Resize",
        "Round",
        "ScatterElements",
        "Shape",
        "Sigmoid",
        "Size",
        "Slice",
        "Softmax",
        "SpaceToDepth",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Tanh",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Upsample",
        "Where",
    ];
    READ.contains(&op)
}

/// The value of a `Constant` node.
pub(crate) fn constant(call: &Call<'_>) -> Result<Constant, Refusal> {
    if let Some(tensor) = call.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
        return read::constant(tensor, None).map_err(Refusal);
    }
    let scalar = |value: f32| Constant::floats(Vec::new(), vec![value]);
    let found = [
        call.float("value_float").map(scalar),
        call.int("value_int").map(|value| Constant::ints(Vec::new(), vec![value])),
        call.ints("value_ints").map(|values| Constant::ints(vec![values.len()], values.to_vec())),
        call.attribute("value_floats").map(|a| Constant::floats(vec![a.floats.len()], a.floats.clone())),
    ];
    found
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| Refusal::from("its value is neither numbers nor a tensor"))
}

/// A conversion between fractions, which changes nothing here.
fn cast(call: &Call<'_>) -> Result<Value, Refusal> {
    let to = call.int("to").and_then(|to| i32::try_from(to).ok()).and_then(|to| DataType::try_from(to).ok());
    match (call.node.op_type(), to) {
        ("CastLike", _)
        | (_, Some(DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16)) => {
            call.input(0).cloned().ok_or_else(|| Refusal::from("it has no input"))
        }
        _ => refuse("it makes whole numbers of a map of the image"),
    }
}

fn slice(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    if let Some(Value::Positions(map)) = call.input(0) {
        let dims = map.dims();
        let places = slices(call, &dims)?;
        let is_all = places.iter().zip(&dims).all(|(places, &dim)| places.iter().copied().eq(0..dim));
        return if is_all {
            Ok(Value::Positions(map.clone()))
        } else {
            refuse("it cuts positions of maxima")
        };
    }
    let mut map = call.map(0)?.clone();
    let places = slices(call, &map.dims())?;
    // Both sides of an image are cut at once where that is what is done.
    for (axis, places) in places.iter().enumerate() {
        map = take(b, &map, axis, places)?;
    }
    Ok(Value::Map(map))
}

fn gather(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let dims = map.dims();
    let axis = axis_of(call.int("axis").unwrap_or(0), dims.len())
        .ok_or_else(|| Refusal::from("its axis is not there"))?;
    let indices = call.needed(1, "indices")?;
    let places = chosen(indices, dims[axis])?;
    let Map { node, mut view, factor } = take(b, map, axis, &places)?;
    match indices.dims.len() {
        0 => {
            view.axes.remove(axis);
        }
        1 => {}
        _ => return refuse("its indices have several axes"),
    }
    Ok(Value::Map(Map { node, view, factor }))
}

/// `Where` with a condition that is the same everywhere.
fn choose(call: &Call<'_>) -> Result<Value, Refusal> {
    let truth = match call.input(0) {
        Some(Value::Never(_)) => false,
        Some(Value::Known(condition)) => {
            let values = condition.to_floats();
            let first = values.first().is_some_and(|&value| value != 0.0);
            if values.iter().any(|&value| (value != 0.0) != first) {
                return refuse("it chooses between values pixel by pixel");
            }
            first
        }
        _ => return refuse("its condition depends on the image"),
    };
    let chosen = call.input(if truth { 1 } else { 2 });
    chosen.cloned().ok_or_else(|| Refusal::from("it has no input"))
}
