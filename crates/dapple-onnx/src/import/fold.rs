//! Operators over known tensors, computed while the model is read.

use super::broadcast::common;
use super::call::Call;
use super::constant::{Constant, Data, axis_of, count, strides};
use super::movement::new_shape;
use super::read::constant;
use super::refusal::{Refusal, refuse};
use super::value::Value;
use crate::proto::DataType;
use std::sync::Arc;

/// Most elements of a tensor that is computed here.
pub(crate) const MOST_FOLDED: usize = 1 << 25;

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
            let places = vec![0; len];
            let filled = value.gathered(dims, &places);
            one(filled.ok_or_else(|| Refusal::from("its value is empty"))?)
        }
        "Range" => one(range(call)?),
        "ReduceProd" | "ReduceSum" | "ReduceMin" | "ReduceMax" | "ReduceMean" => one(reduce(call)?),
        "Where" => one(choose(call)?),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Less" | "Greater"
        | "LessOrEqual" | "GreaterOrEqual" | "And" | "Or" => one(binary(call)?),
        "Neg" | "Abs" | "Floor" | "Ceil" | "Round" | "Sqrt" | "Exp" | "Log" | "Reciprocal" | "Not"
        | "Sigmoid" | "Relu" | "Tanh" => one(unary(call)?),
        "DequantizeLinear" => one(dequantize(call)?),
        _ => Ok(None),
    }
}

/// A list of sides.
pub(crate) fn list(constant: &Constant) -> Result<Vec<usize>, Refusal> {
    let side = |&value: &i64| usize::try_from(value).map_err(|_| Refusal(format!("a side of {value}")));
    match constant.as_ints() {
        Some(values) => values.iter().map(side).collect(),
        None => refuse("a shape that is no list of whole numbers"),
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

/// The elements at the places that these steps lead to.
fn walked(input: &Constant, dims: Vec<usize>, steps: &[usize]) -> Result<Constant, Refusal> {
    let len = count(&dims).filter(|&len| len <= MOST_FOLDED);
    let len = len.ok_or_else(|| Refusal(format!("a constant of shape {dims:?}")))?;
    let mut places = Vec::with_capacity(len);
    places.push(0);
    for (dim, step) in dims.iter().zip(steps) {
        let outer = std::mem::take(&mut places);
        places.reserve(outer.len() * dim);
        places.extend(outer.iter().flat_map(|place| (0..*dim).map(move |i| place + i * step)));
    }
    input.gathered(dims, &places).ok_or_else(|| Refusal::from("it reads values that are not there"))
}

/// A tensor repeated over axes of one position.
fn spread(input: &Constant, dims: &[usize]) -> Result<Constant, Refusal> {
    let steps = strides(&input.dims);
    let first = dims.len() - input.dims.len();
    let step = |axis: usize| match axis.checked_sub(first) {
        Some(own) if input.dims[own] > 1 => steps[own],
        _ => 0,
    };
    let steps: Vec<usize> = (0..dims.len()).map(step).collect();
    walked(input, dims.to_vec(), &steps)
}

/// These positions of each axis.
fn part(input: &Constant, places: &[Vec<usize>]) -> Result<Constant, Refusal> {
    let steps = strides(&input.dims);
    let mut found = vec![0];
    for (places, step) in places.iter().zip(&steps) {
        found = found.iter().flat_map(|at| places.iter().map(move |place| at + place * step)).collect();
    }
    let dims = places.iter().map(Vec::len).collect();
    input.gathered(dims, &found).ok_or_else(|| Refusal::from("it reads values that are not there"))
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

/// Indices that may be counted from the end.
pub(crate) fn chosen(indices: &Constant, len: usize) -> Result<Vec<usize>, Refusal> {
    let Some(values) = indices.as_ints() else { return refuse("its indices are no whole numbers") };
    values
        .iter()
        .map(|&index| axis_of(index, len).ok_or_else(|| Refusal(format!("index {index} of {len}"))))
        .collect()
}

/// For each axis, the positions that a `Slice` takes.
pub(crate) fn slices(call: &Call<'_>, dims: &[usize]) -> Result<Vec<Vec<usize>>, Refusal> {
    let (Some(starts), Some(ends)) = (call.list("starts", 1)?, call.list("ends", 2)?) else {
        return refuse("it has no starts or ends");
    };
    let axes = call.list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if starts.len() != ends.len() || starts.len() != axes.len() || starts.len() != steps.len() {
        return refuse("its starts, ends, axes and steps differ in number");
    }
    let mut places: Vec<Vec<usize>> = dims.iter().map(|&dim| (0..dim).collect()).collect();
    for (index, &axis) in axes.iter().enumerate() {
        let Some(axis) = axis_of(axis, dims.len()) else { return refuse(format!("axis {axis}")) };
        let (len, step) = (dims[axis] as i64, steps[index]);
        let from_start = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
        let (start, end) = (from_start(starts[index]), from_start(ends[index]));
        places[axis] = match step {
            1.. => (start.clamp(0, len)..end.clamp(0, len))
                .step_by(step as usize)
                .map(|at| at as usize)
                .collect(),
            0 => return refuse("a step of 0"),
            _ => {
                let (start, end) = (start.clamp(-1, len - 1), end.clamp(-1, len - 1));
                let back = (end + 1..=start).rev();
                back.step_by(step.unsigned_abs() as usize).map(|at| at as usize).collect()
            }
        };
    }
    Ok(places)
}

/// The axis and the parts of a `Split`.
pub(crate) fn split(
    call: &Call<'_>,
    dims: &[usize],
) -> Result<(usize, Vec<std::ops::Range<usize>>), Refusal> {
    let axis = call.axis(0, dims.len())?;
    let sizes: Vec<usize> = match call.list("split", 1)? {
        Some(sizes) => sizes.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect(),
        None => {
            let parts = call.node.output.len().max(1);
            let size = dims[axis].div_ceil(parts);
            (0..parts).map(|part| size.min(dims[axis].saturating_sub(part * size))).collect()
        }
    };
    let mut start = 0usize;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let end = start.saturating_add(size);
        if end > dims[axis] {
            return refuse(format!("its parts are larger than its axis of {}", dims[axis]));
        }
        parts.push(start..end);
        start = end;
    }
    if start != dims[axis] || parts.len() != call.node.output.len() {
        return refuse("its parts are not its whole axis");
    }
    Ok((axis, parts))
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

fn reduce(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let rank = input.dims.len();
    let axes = match call.list("axes", 1)? {
        Some(axes) => axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Option<Vec<_>>>(),
        None => Some((0..rank).collect()),
    };
    let Some(axes) = axes else { return refuse("it goes over an axis that is not there") };
    let keep = call.int("keepdims").unwrap_or(1) != 0;
    let kept = |axis: &usize| !axes.contains(axis);
    let small: Vec<usize> = (0..rank).map(|axis| if kept(&axis) { input.dims[axis] } else { 1 }).collect();
    let dims =
        if keep { small.clone() } else { (0..rank).filter(kept).map(|axis| input.dims[axis]).collect() };
    let steps: Vec<usize> = strides(&small)
        .into_iter()
        .enumerate()
        .map(|(axis, step)| if kept(&axis) { step } else { 0 })
        .collect();
    let own = strides(&input.dims);
    let len: usize = small.iter().product();
    let mut sums: Vec<Option<f64>> = vec![None; len];
    let op = call.node.op_type();
    let values = input.to_exact();
    for (index, &value) in values.iter().enumerate() {
        let to: usize = (0..rank).map(|axis| index / own[axis] % input.dims[axis] * steps[axis]).sum();
        sums[to] = Some(match (sums[to], op) {
            (None, _) => value,
            (Some(sum), "ReduceProd") => sum * value,
            (Some(sum), "ReduceMin") => sum.min(value),
            (Some(sum), "ReduceMax") => sum.max(value),
            (Some(sum), _) => sum + value,
        });
    }
    let share = if op == "ReduceMean" { len as f64 / values.len().max(1) as f64 } else { 1.0 };
    let empty = if op == "ReduceProd" { 1.0 } else { 0.0 };
    Ok(input.like(dims, sums.iter().map(|sum| sum.unwrap_or(empty) * share).collect()))
}

fn choose(call: &Call<'_>) -> Result<Constant, Refusal> {
    let [condition, yes, no] =
        [call.needed(0, "condition")?, call.needed(1, "first")?, call.needed(2, "second")?];
    let dims = common(&condition.dims, &yes.dims);
    let Some(dims) = dims.and_then(|dims| common(&dims, &no.dims)) else {
        return refuse("its shapes do not fit");
    };
    let [condition, yes, no] = [spread(condition, &dims)?, spread(yes, &dims)?, spread(no, &dims)?];
    let [truths, left, right] = [&condition, &yes, &no].map(Constant::to_exact);
    let values = truths.iter().zip(left.iter().zip(&right));
    Ok(yes.like(dims, values.map(|(truth, (yes, no))| if *truth != 0.0 { *yes } else { *no }).collect()))
}

fn binary(call: &Call<'_>) -> Result<Constant, Refusal> {
    let [a, b] = [call.needed(0, "first input")?, call.needed(1, "second input")?];
    if call.inputs.len() > 2 {
        return refuse("more than two constants in one operation");
    }
    let Some(dims) = common(&a.dims, &b.dims) else {
        return refuse(format!("shapes {:?} and {:?} do not fit", a.dims, b.dims));
    };
    let op = call.node.op_type();
    let [a, b] = [spread(a, &dims)?, spread(b, &dims)?];
    if let (Some(left), Some(right)) = (a.as_ints(), b.as_ints()) {
        let pairs = left.iter().zip(right).map(|(&x, &y)| whole(op, x, y));
        let values = pairs.collect::<Option<Vec<i64>>>();
        let values = values.ok_or_else(|| Refusal::from("it divides by zero"))?;
        let kind = if is_truth(op) { DataType::Bool } else { a.kind };
        return Ok(Constant { dims, kind, data: Data::Ints(Arc::new(values)) });
    }
    let (left, right) = (a.to_floats(), b.to_floats());
    let pairs = left.iter().zip(right.iter());
    if is_truth(op) {
        let truth = |(x, y): (&f32, &f32)| {
            i64::from(match op {
                "Equal" => x == y,
                "Less" => x < y,
                "Greater" => x > y,
                "LessOrEqual" => x <= y,
                "GreaterOrEqual" => x >= y,
                "And" => *x != 0.0 && *y != 0.0,
                _ => *x != 0.0 || *y != 0.0,
            })
        };
        return Ok(Constant::truths(dims, pairs.map(truth).collect()));
    }
    let value = |(&x, &y): (&f32, &f32)| match op {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Mod" => x % y,
        "Pow" => x.powf(y),
        "Min" => x.min(y),
        _ => x.max(y),
    };
    Ok(Constant::floats(dims, pairs.map(value).collect()))
}

fn is_truth(op: &str) -> bool {
    matches!(op, "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual" | "And" | "Or")
}

/// An operation of whole numbers; `None` for a division by zero. ONNX divides towards zero.
fn whole(op: &str, x: i64, y: i64) -> Option<i64> {
    Some(match op {
        "Add" => x.wrapping_add(y),
        "Sub" => x.wrapping_sub(y),
        "Mul" => x.wrapping_mul(y),
        "Div" => x.checked_div(y)?,
        "Mod" => {
            x.checked_rem(y).map(|rest| if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest })?
        }
        "Pow" => x.wrapping_pow(u32::try_from(y).ok()?),
        "Min" => x.min(y),
        "Max" => x.max(y),
        "Equal" => i64::from(x == y),
        "Less" => i64::from(x < y),
        "Greater" => i64::from(x > y),
        "LessOrEqual" => i64::from(x <= y),
        "GreaterOrEqual" => i64::from(x >= y),
        "And" => i64::from(x != 0 && y != 0),
        _ => i64::from(x != 0 || y != 0),
    })
}

fn unary(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let op = call.node.op_type();
    if op == "Not" {
        let values = input.to_floats().iter().map(|&value| i64::from(value == 0.0)).collect();
        return Ok(Constant::truths(input.dims.clone(), values));
    }
    let function = |value: f64| match op {
        "Neg" => -value,
        "Abs" => value.abs(),
        "Floor" => value.floor(),
        "Ceil" => value.ceil(),
        "Round" => value.round_ties_even(),
        "Sqrt" => value.sqrt(),
        "Exp" => value.exp(),
        "Log" => value.ln(),
        "Reciprocal" => value.recip(),
        "Sigmoid" => 1.0 / (1.0 + (-value).exp()),
        "Relu" => value.max(0.0),
        _ => value.tanh(),
    };
    Ok(input.like(input.dims.clone(), input.to_exact().into_iter().map(function).collect()))
}

/// Quantized weights as fractions: `(value - zero point) scale`, for the whole tensor or for each position of an axis.
fn dequantize(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let scale = call.needed(1, "scale")?.to_floats();
    let zero = call.known(2, "zero point")?.map(Constant::to_exact);
    if call.int("block_size").unwrap_or(0) != 0 {
        return refuse("it is quantized by blocks");
    }
    let (len, step) = if scale.len() == 1 {
        (1, 1)
    } else {
        let axis = call.axis(1, input.dims.len())?;
        (input.dims[axis], strides(&input.dims)[axis])
    };
    if scale.len() != len || zero.as_ref().is_some_and(|zero| zero.len() != len) {
        return refuse("its scales and zero points are not one for each position of its axis");
    }
    let values = input.to_exact();
    let value = |(index, value): (usize, &f64)| {
        let at = index / step % len;
        let zero = zero.as_ref().map_or(0.0, |zero| zero[at]);
        ((value - zero) * f64::from(scale[at])) as f32
    };
    Ok(Constant::floats(input.dims.clone(), values.iter().enumerate().map(value).collect()))
}

/// Whether all inputs of a node are known.
pub(crate) fn all_known(call: &Call<'_>) -> bool {
    call.inputs.iter().flatten().all(|value| matches!(value, Value::Known(_)))
}
