//! Operators over known tensors, computed while the model is read.

use super::broadcast::common;
use super::call::Call;
use super::constant::{Constant, Data, count, strides};
use super::movement::new_shape;
use super::numbers::{binary, choose, dequantize, quantize, reduce, unary};
use super::places::{MOST_FOLDED, chosen, list, part, slices, split, spread, walked};
use super::read::constant;
use super::refusal::{Refusal, refuse};
use super::value::Value;
use crate::proto::DataType;
use std::sync::Arc;

/// The result of a node that reads known tensors only; `None` for an operator that is not among those computed here.
pub(crate) fn fold(call: &Call<'_>) -> Result<Option<Vec<Constant>>, Refusal> {
    let one = |value: Constant| Ok(Some(vec![value]));
    match call.node.op_type() {
        "Identity" | "Dropout" => one(call.needed(0, "input")?.clone()),
        "Shape" => {
            let dims = &call.needed(0, "input")?.dims;
            one(shape_of(call, dims)?)
        }
        "Size" => one(Constant::ints(Vec::new(), vec![call.needed(0, "input")?.len() as i64])),
        "Cast" | "CastLike" => one(cast(call)?),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
            let input = call.needed(0, "input")?;
            one(input.with_dims(new_shape(call, &input.dims)?))
        }
        "Transpose" => one(transpose(call)?),
        "Gather" => one(gather(call)?),
        "Slice" => {
            let input = call.needed(0, "input")?;
            let places = slices(call, &input.dims)?;
            one(part(input, &places)?)
        }
        "Concat" => one(concat(call)?),
        "Split" => {
            let input = call.needed(0, "input")?;
            let (axis, parts) = split(call, &input.dims)?;
            let part_of = |range: &std::ops::Range<usize>| {
                let places: Vec<Vec<usize>> = (0..input.dims.len())
                    .map(|other| {
                        if other == axis { range.clone().collect() } else { (0..input.dims[other]).collect() }
                    })
                    .collect();
                part(input, &places)
            };
            Ok(Some(parts.iter().map(part_of).collect::<Result<_, _>>()?))
        }
        "Expand" => {
            let input = call.needed(0, "input")?;
            let shape = list(call.needed(1, "shape")?)?;
            let Some(dims) = common(&input.dims, &shape) else {
                return refuse(format!("{:?} cannot be expanded to {shape:?}", input.dims));
            };
            one(spread(input, &dims)?)
        }
        "Tile" => one(tile(call)?),
        "ConstantOfShape" => {
            let dims = list(call.needed(0, "shape")?)?;
            let len = count(&dims).filter(|&len| len <= MOST_FOLDED);
            let len = len.ok_or_else(|| Refusal(format!("a constant of shape {dims:?}")))?;
            let value = match call.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
                None => Constant::floats(vec![1], vec![0.0]),
                Some(tensor) => constant(tensor, None).map_err(Refusal)?,
            };
            let data = match &value.data {
                Data::Floats(values) if values.len() == 1 => Data::Floats(Arc::new(vec![values[0]; len])),
                Data::Ints(values) if values.len() == 1 => Data::Ints(Arc::new(vec![values[0]; len])),
                _ => return refuse("its value is not one number"),
            };
            one(Constant { dims, kind: value.kind, data })
        }
        "Range" => one(range(call)?),
        "ReduceProd" | "ReduceSum" | "ReduceMin" | "ReduceMax" | "ReduceMean" => one(reduce(call)?),
        "Where" => one(choose(call)?),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Less" | "Greater"
        | "LessOrEqual" | "GreaterOrEqual" | "And" | "Or" => one(binary(call)?),
        "Neg" | "Abs" | "Floor" | "Ceil" | "Round" | "Sqrt" | "Exp" | "Log" | "Reciprocal" | "Not"
        | "Sigmoid" | "Relu" | "Tanh" => one(unary(call)?),
        "DequantizeLinear" => one(dequantize(call)?),
        "QuantizeLinear" => one(quantize(call)?),
        _ => Ok(None),
    }
}

/// `Shape`, all of it or a part.
pub(crate) fn shape_of(call: &Call<'_>, dims: &[usize]) -> Result<Constant, Refusal> {
    let rank = dims.len() as i64;
    let bound = |name: &str, default: i64| {
        let value = call.int(name).unwrap_or(default);
        let from_start = if value < 0 { value.saturating_add(rank) } else { value };
        from_start.clamp(0, rank) as usize
    };
    let (start, end) = (bound("start", 0), bound("end", rank));
    let part = dims.get(start..end).unwrap_or(&[]);
    Ok(Constant::ints(vec![part.len()], part.iter().map(|&dim| dim as i64).collect()))
}

fn cast(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let to = match call.known(1, "type")? {
        Some(like) => like.kind as i32,
        None => call.int("to").and_then(|to| i32::try_from(to).ok()).unwrap_or(0),
    };
    let kind = DataType::try_from(to).map_err(|_| Refusal(format!("a cast to type {to}")))?;
    Ok(match kind {
        DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16 => Constant {
            dims: input.dims.clone(),
            kind: DataType::Float,
            data: Data::Floats(input.to_floats()),
        },
        DataType::Bool => {
            let truths = input.to_floats().iter().map(|&value| i64::from(value != 0.0)).collect();
            Constant::truths(input.dims.clone(), truths)
        }
        DataType::Undefined => return refuse("a cast to no type"),
        _ => {
            let data = match &input.data {
                Data::Ints(values) => Arc::clone(values),
                Data::Floats(values) => Arc::new(values.iter().map(|&value| value as i64).collect()),
            };
            Constant { dims: input.dims.clone(), kind, data: Data::Ints(data) }
        }
    })
}

fn transpose(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let rank = input.dims.len();
    let order: Vec<usize> = match call.ints("perm").filter(|order| !order.is_empty()) {
        None => (0..rank).rev().collect(),
        Some(order) => order.iter().map(|&axis| usize::try_from(axis).unwrap_or(rank)).collect(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..rank) {
        return refuse(format!("perm {order:?} is no order of its axes"));
    }
    let steps = strides(&input.dims);
    let dims: Vec<usize> = order.iter().map(|&axis| input.dims[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| steps[axis]).collect();
    walked(input, dims, &steps)
}

fn gather(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let axis = call.axis(0, input.dims.len())?;
    let indices = call.needed(1, "indices")?;
    let len = input.dims[axis];
    let chosen = chosen(indices, len)?;
    let mut places: Vec<Vec<usize>> = input.dims.iter().map(|&dim| (0..dim).collect()).collect();
    places[axis] = chosen;
    let found = part(input, &places)?;
    let mut dims = input.dims.clone();
    dims.splice(axis..=axis, indices.dims.iter().copied());
    Ok(found.with_dims(dims))
}

fn concat(call: &Call<'_>) -> Result<Constant, Refusal> {
    let first = call.needed(0, "input")?;
    let axis = call.axis(0, first.dims.len())?;
    let mut total = 0;
    let mut inputs = Vec::with_capacity(call.inputs.len());
    for index in 0..call.inputs.len() {
        let input = call.needed(index, "input")?;
        let fits = input.dims.len() == first.dims.len()
            && (0..first.dims.len()).all(|other| other == axis || input.dims[other] == first.dims[other]);
        if !fits || input.is_float() != first.is_float() {
            return refuse("its inputs do not fit together");
        }
        total += input.dims[axis];
        inputs.push(input);
    }
    let mut dims = first.dims.clone();
    dims[axis] = total;
    let outer: usize = dims[..axis].iter().product();
    let inner: usize = dims[axis + 1..].iter().product();
    if count(&dims).is_none_or(|len| len > MOST_FOLDED) {
        return refuse(format!("a constant of shape {dims:?}"));
    }
    let (mut floats, mut ints) = (Vec::new(), Vec::new());
    for row in 0..outer {
        for input in &inputs {
            let run = input.dims[axis] * inner;
            match &input.data {
                Data::Floats(values) => floats.extend_from_slice(&values[row * run..(row + 1) * run]),
                Data::Ints(values) => ints.extend_from_slice(&values[row * run..(row + 1) * run]),
            }
        }
    }
    let data = if first.is_float() { Data::Floats(Arc::new(floats)) } else { Data::Ints(Arc::new(ints)) };
    Ok(Constant { dims, kind: first.kind, data })
}

fn tile(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let repeats = list(call.needed(1, "repeats")?)?;
    if repeats.len() != input.dims.len() {
        return refuse("its repeats are not one for each axis");
    }
    let dims: Vec<usize> =
        input.dims.iter().zip(&repeats).map(|(dim, times)| dim.saturating_mul(*times)).collect();
    if count(&dims).is_none_or(|len| len > MOST_FOLDED) {
        return refuse(format!("a constant of shape {dims:?}"));
    }
    let places: Vec<Vec<usize>> =
        input.dims.iter().zip(&dims).map(|(&dim, &len)| (0..len).map(|at| at % dim).collect()).collect();
    part(input, &places)
}

fn range(call: &Call<'_>) -> Result<Constant, Refusal> {
    let numbers = [call.needed(0, "start")?, call.needed(1, "limit")?, call.needed(2, "step")?];
    let [Some(start), Some(limit), Some(step)] = numbers.map(Constant::scalar) else {
        return refuse("its bounds are no numbers");
    };
    let whole = numbers.map(|number| number.as_ints().map(|values| values[0]));
    let len = ((f64::from(limit) - f64::from(start)) / f64::from(step)).ceil();
    if !(len.is_finite() && len <= MOST_FOLDED as f64) {
        return refuse("it has too many numbers");
    }
    let len = len.max(0.0) as usize;
    Ok(match whole {
        [Some(start), Some(_), Some(step)] => {
            let at = |i: usize| start.wrapping_add(step.wrapping_mul(i as i64));
            Constant::ints(vec![len], (0..len).map(at).collect())
        }
        _ => Constant::floats(vec![len], (0..len).map(|i| start + step * i as f32).collect()),
    })
}

/// Whether all inputs of a node are known.
pub(crate) fn all_known(call: &Call<'_>) -> bool {
    call.inputs.iter().flatten().all(|value| matches!(value, Value::Known(_)))
}
