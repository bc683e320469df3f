//! Arithmetic of known tensors.

use super::broadcast::common;
use super::call::Call;
use super::constant::{Constant, Data, axis_of, strides};
use super::places::spread;
use super::refusal::{Refusal, refuse};
use crate::proto::DataType;
use std::sync::Arc;

/// Sums, products, means and extremes over axes.
pub(crate) fn reduce(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let rank = input.dims.len();
    // No axes are all of them, or none.
    let axes = match call.list("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Option<Vec<_>>>(),
        None if call.int("noop_with_empty_axes").unwrap_or(0) != 0 => return Ok(input.clone()),
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

/// `Where`, element by element.
pub(crate) fn choose(call: &Call<'_>) -> Result<Constant, Refusal> {
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

/// An operation of two tensors, element by element.
pub(crate) fn binary(call: &Call<'_>) -> Result<Constant, Refusal> {
    let [a, b] = [call.needed(0, "first input")?, call.needed(1, "second input")?];
    if call.inputs.len() > 2 {
        return refuse("more than two constants in one operation");
    }
    let Some(dims) = common(&a.dims, &b.dims) else {
        return refuse(format!("shapes {:?} and {:?} do not fit", a.dims, b.dims));
    };
    let op = call.node.op_type();
    let [a, b] = [spread(a, &dims)?, spread(b, &dims)?];
    // The rest has the sign of the divisor, or with `fmod`, as that of fractions, of the dividend.
    let op = if op == "Mod" && call.int("fmod").unwrap_or(0) != 0 { "Rest" } else { op };
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
        "Mod" | "Rest" => x % y,
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
        "Rest" => x.checked_rem(y)?,
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

/// A function of each element.
pub(crate) fn unary(call: &Call<'_>) -> Result<Constant, Refusal> {
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

/// The number of scales, and the elements from one to the next: one for all, or one for each position of an axis.
fn scales(
    call: &Call<'_>,
    input: &Constant,
    scale: &[f32],
    zero: Option<&[f64]>,
) -> Result<[usize; 2], Refusal> {
    if call.int("block_size").unwrap_or(0) != 0 {
        return refuse("it is quantized by blocks");
    }
    let [len, step] = if scale.len() == 1 {
        [1, 1]
    } else {
        let axis = call.axis(1, input.dims.len())?;
        [input.dims[axis], strides(&input.dims)[axis]]
    };
    if scale.len() != len || zero.is_some_and(|zero| zero.len() != len) {
        return refuse("its scales and zero points are not one for each position of its axis");
    }
    Ok([len, step])
}

/// Quantized weights as fractions: `(value - zero point) scale`, for the whole tensor or for each position of an axis.
pub(crate) fn dequantize(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let scale = call.needed(1, "scale")?.to_floats();
    let zero = call.known(2, "zero point")?.map(Constant::to_exact);
    let [len, step] = scales(call, input, &scale, zero.as_deref())?;
    let values = input.to_exact();
    let value = |(index, value): (usize, &f64)| {
        let at = index / step % len;
        let zero = zero.as_ref().map_or(0.0, |zero| zero[at]);
        ((value - zero) * f64::from(scale[at])) as f32
    };
    Ok(Constant::floats(input.dims.clone(), values.iter().enumerate().map(value).collect()))
}

/// Fractions as quantized numbers: the nearest to `value / scale`, ties to even, plus the zero point, within the type.
pub(crate) fn quantize(call: &Call<'_>) -> Result<Constant, Refusal> {
    let input = call.needed(0, "input")?;
    let scale = call.needed(1, "scale")?.to_floats();
    let (kind, [least, most]) = quantized_type(call)?;
    let zero = call.known(2, "zero point")?.map(Constant::to_exact);
    let [len, step] = scales(call, input, &scale, zero.as_deref())?;
    let values = input.to_floats();
    let value = |(index, value): (usize, &f32)| {
        let at = index / step % len;
        let zero = zero.as_ref().map_or(0.0, |zero| zero[at]);
        let steps = f64::from((value / scale[at]).round_ties_even());
        (steps + zero).clamp(f64::from(least), f64::from(most)) as i64
    };
    let data = Data::Ints(Arc::new(values.iter().enumerate().map(value).collect()));
    Ok(Constant { dims: input.dims.clone(), kind, data })
}

/// The type that a `QuantizeLinear` makes, with its least and its largest number.
pub(crate) fn quantized_type(call: &Call<'_>) -> Result<(DataType, [f32; 2]), Refusal> {
    // Without a zero point, newer operator sets name the type.
    let kind = match (call.known(2, "zero point")?, call.int("output_dtype").unwrap_or(0)) {
        (Some(zero), _) => Some(zero.kind),
        (None, 0) => Some(DataType::Uint8),
        (None, number) => i32::try_from(number).ok().and_then(|number| DataType::try_from(number).ok()),
    };
    match kind {
        Some(kind @ DataType::Uint8) => Ok((kind, [0.0, 255.0])),
        Some(kind @ DataType::Int8) => Ok((kind, [-128.0, 127.0])),
        Some(kind @ DataType::Uint16) => Ok((kind, [0.0, 65535.0])),
        Some(kind @ DataType::Int16) => Ok((kind, [-32768.0, 32767.0])),
        _ => refuse("it makes numbers of other types than 8 and 16 bits"),
    }
}
