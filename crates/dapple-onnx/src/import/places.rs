//! The places in a tensor that operators read.

use super::call::Call;
use super::constant::{Constant, axis_of, count, strides};
use super::refusal::{Refusal, refuse};

/// Most elements of a tensor that is computed here.
pub(crate) const MOST_FOLDED: usize = 1 << 25;

/// A list of sides.
pub(crate) fn list(constant: &Constant) -> Result<Vec<usize>, Refusal> {
    let side = |&value: &i64| usize::try_from(value).map_err(|_| Refusal(format!("a side of {value}")));
    match constant.as_ints() {
        Some(values) => values.iter().map(side).collect(),
        None => refuse("a shape that is no list of whole numbers"),
    }
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
                // Starts before the first position are that position, as the standard has it.
                let (start, end) = (start.clamp(0, len).min(len - 1), end.clamp(-1, len - 1));
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

/// The elements at the places that these steps lead to.
pub(crate) fn walked(input: &Constant, dims: Vec<usize>, steps: &[usize]) -> Result<Constant, Refusal> {
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
pub(crate) fn spread(input: &Constant, dims: &[usize]) -> Result<Constant, Refusal> {
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
pub(crate) fn part(input: &Constant, places: &[Vec<usize>]) -> Result<Constant, Refusal> {
    let dims: Vec<usize> = places.iter().map(Vec::len).collect();
    if count(&dims).is_none_or(|len| len > MOST_FOLDED) {
        return refuse(format!("a constant of shape {dims:?}"));
    }
    let steps = strides(&input.dims);
    let mut found = vec![0];
    for (places, step) in places.iter().zip(&steps) {
        found = found.iter().flat_map(|at| places.iter().map(move |place| at + place * step)).collect();
    }
    input.gathered(dims, &found).ok_or_else(|| Refusal::from("it reads values that are not there"))
}
