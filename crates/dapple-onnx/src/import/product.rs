//! Matrix products: linear layers, attention, and means over windows as our own exporter writes them.

use super::broadcast::{Beside, beside};
use super::builder::{Builder, Weight};
use super::call::Call;
use super::refusal::{Refusal, refuse};
use super::value::{Attention, Map, Value};
use super::view::{Run, Side, View, whole};
use dapple_graph::{Conv2d, NodeId, Shape};
use std::sync::Arc;

/// `MatMul`.
pub(crate) fn matmul(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    match (call.input(0), call.input(1)) {
        (Some(Value::Map(map)), Some(Value::Known(matrix))) => {
            let rank = map.view.axes.len();
            match matrix.dims[..] {
                [rows, columns] if rank > 0 && map.view.is_channels(rank - 1, b.shape(map.node)) => {
                    let weight = transposed(&matrix.to_floats(), rows, columns);
                    linear(b, map, rank - 1, [columns, rows], weight, call.node.input.get(1))
                }
                // A product from the right goes over the columns of an image.
                [rows, columns] if rank == 4 => {
                    let shares = transposed(&matrix.to_floats(), rows, columns);
                    windows(b, map, 3, columns, rows, &shares)
                }
                _ => refuse("it multiplies neither channels nor the means of windows"),
            }
        }
        (Some(Value::Known(matrix)), Some(Value::Map(map))) => {
            let rank = map.view.axes.len();
            match matrix.dims[..] {
                [outs, ins] if rank > 1 && map.view.is_channels(rank - 2, b.shape(map.node)) => linear(
                    b,
                    map,
                    rank - 2,
                    [outs, ins],
                    matrix.to_floats().to_vec(),
                    call.node.input.first(),
                ),
                [rows, len] if rank == 4 => windows(b, map, 2, rows, len, &matrix.to_floats()),
                _ => refuse("it multiplies neither channels nor the means of windows"),
            }
        }
        (Some(Value::Map(queries)), Some(Value::Map(keys))) => scores(b, queries, keys),
        (Some(Value::Shares(attention)), Some(Value::Map(values))) => attend(b, attention, values),
        _ => {
            call.map(0)?;
            call.map(1)?;
            refuse("its inputs cannot be multiplied")
        }
    }
}

/// `Gemm`.
pub(crate) fn gemm(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.int("transA").unwrap_or(0) != 0 {
        return refuse("its first matrix is transposed");
    }
    let map = call.map(0)?;
    let matrix = call.needed(1, "second matrix")?;
    let &[first, second] = matrix.dims.as_slice() else { return refuse("its second factor is no matrix") };
    let mut values = matrix.to_floats().to_vec();
    let [outs, ins] = if call.int("transB").unwrap_or(0) == 0 {
        values = transposed(&values, first, second);
        [second, first]
    } else {
        [first, second]
    };
    let alpha = call.float("alpha").unwrap_or(1.0);
    if alpha != 1.0 {
        values.iter_mut().for_each(|value| *value *= alpha);
    }
    let rank = map.view.axes.len();
    if rank != 2 || !map.view.is_channels(1, b.shape(map.node)) {
        return refuse("its first factor is not the channels of one pixel an image");
    }
    let result = linear(b, map, 1, [outs, ins], values, call.node.input.get(1))?;
    let (Value::Map(product), Some(shift)) = (&result, call.known(2, "third matrix")?) else {
        return Ok(result);
    };
    let beta = call.float("beta").unwrap_or(1.0);
    let (map, shift) = beside(b, product, shift)?;
    let channels = b.shape(map.node).c;
    let shift = match shift {
        Beside::One(value) => vec![beta * value; channels],
        Beside::Channels(values) => values.iter().map(|value| beta * value).collect(),
    };
    let node = b.affine(map.node, vec![map.factor; channels], shift)?;
    Ok(Value::Map(Map { node, factor: 1.0, ..map }))
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| values[row * columns + column]));
    }
    out
}

/// A linear layer over an axis of channels: a convolution of one pixel, with weights `[out, in]`.
fn linear(
    b: &mut Builder,
    map: &Map,
    axis: usize,
    [outs, ins]: [usize; 2],
    values: Vec<f32>,
    name: Option<&String>,
) -> Result<Value, Refusal> {
    if outs == 0 || ins == 0 {
        return refuse("its matrix has no values");
    }
    let weight = Weight { dims: [outs, ins, 1, 1], values: Arc::new(values) };
    let name = name.map(String::as_str);
    let node = b.conv(name, map.node, weight, None, Conv2d::new(outs, 1))?;
    let mut view = map.view.clone();
    view.axes[axis] = whole(b.shape(node), Side::Channel);
    Ok(Value::Map(Map { node, view, factor: map.factor }))
}

/// A product with the shares that the rows (axis 2) or columns (axis 3) of an image have in windows, `[windows, len]`:
/// adaptive pooling along that axis.
fn windows(
    b: &mut Builder,
    map: &Map,
    axis: usize,
    count: usize,
    len: usize,
    shares: &[f32],
) -> Result<Value, Refusal> {
    let shape = b.shape(map.node);
    let side = [shape.h, shape.w][axis - 2];
    if map.view != View::image(shape) || side != len || count == 0 {
        return refuse("it multiplies neither channels nor the means of windows");
    }
    for (window, row) in shares.chunks_exact(len).enumerate() {
        let (start, end) = (window * len / count, ((window + 1) * len).div_ceil(count));
        let share = 1.0 / (end - start) as f32;
        let holds = |at: usize, value: f32| {
            let wanted = if (start..end).contains(&at) { share } else { 0.0 };
            (value - wanted).abs() <= 1e-6
        };
        if !row.iter().enumerate().all(|(at, &value)| holds(at, value)) {
            return refuse("it multiplies the pixels of a map by a matrix");
        }
    }
    let size = if axis == 2 { [count, shape.w] } else { [shape.h, count] };
    let node = b.graph.adaptive_avg_pool(map.node, size)?;
    let node = b.checked(node)?;
    Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: map.factor }))
}

/// The view of queries, keys or values: heads, pixels, and the channels of a head, with the last two axes swapped for keys.
/// Returns the heads and whether the axes are swapped.
fn heads_of(view: &View, shape: Shape) -> Option<(usize, bool)> {
    let (rest, [first, second]) = view.axes.split_last_chunk::<2>()?;
    let leading: Vec<Run> = rest.iter().flatten().copied().collect();
    let heads = match leading[..] {
        [] => 1,
        [run] if run.side == Side::Channel && run.stride * run.size == shape.c => run.size,
        _ => return None,
    };
    let pixels = [whole(shape, Side::Height), whole(shape, Side::Width)].concat();
    let inner = shape.c / heads;
    let channels =
        if inner == 1 { Vec::new() } else { vec![Run { side: Side::Channel, stride: 1, size: inner }] };
    if *first == pixels && *second == channels {
        Some((heads, false))
    } else if *first == channels && *second == pixels {
        Some((heads, true))
    } else {
        None
    }
}

const PATTERN: &str = "it is neither a linear layer nor attention as PyTorch and its exporters write it";

/// The products of queries and keys.
fn scores(b: &Builder, queries: &Map, keys: &Map) -> Result<Value, Refusal> {
    let (of_queries, of_keys) = (b.shape(queries.node), b.shape(keys.node));
    let (Some((heads, swapped)), Some((others, turned))) =
        (heads_of(&queries.view, of_queries), heads_of(&keys.view, of_keys))
    else {
        return refuse(PATTERN);
    };
    // With one pixel, both orders of the axes look the same.
    let pixels = |shape: Shape| shape.h * shape.w;
    let is_queries = !swapped || pixels(of_queries) == 1;
    let is_keys = turned || pixels(of_keys) == 1 || of_keys.c == heads;
    if !is_queries || !is_keys || heads != others || of_queries.c != of_keys.c {
        return refuse(PATTERN);
    }
    let inner = of_queries.c / heads;
    let (first, second) = (queries.dims(), keys.dims());
    let fits = match (first.split_last_chunk::<2>(), second.split_last_chunk::<2>()) {
        (Some((first, of_first)), Some((second, of_second))) => {
            first == second
                && *of_first == [pixels(of_queries), inner]
                && *of_second == [inner, pixels(of_keys)]
        }
        _ => false,
    };
    if !fits {
        return refuse(PATTERN);
    }
    Ok(Value::Scores(Attention {
        queries: queries.node,
        keys: keys.node,
        heads,
        factor: queries.factor * keys.factor,
        view: queries.view.clone(),
        tokens: pixels(of_keys),
    }))
}

/// The softmax of scores over the keys.
pub(crate) fn softmax(call: &Call<'_>) -> Result<Value, Refusal> {
    match call.input(0) {
        Some(Value::Scores(attention)) => {
            let rank = attention.view.axes.len();
            // Before opset 13, all axes from the given one on are taken together.
            let axis = call.axis(if call.opset < 13 { 1 } else { -1 }, rank)?;
            if axis + 1 != rank {
                return refuse("it does not go over the keys of attention");
            }
            Ok(Value::Shares(attention.clone()))
        }
        _ => {
            call.map(0)?;
            refuse("it is read within attention and at the end of a network only")
        }
    }
}

/// The values of the keys, weighted by their shares.
fn attend(b: &mut Builder, attention: &Attention, values: &Map) -> Result<Value, Refusal> {
    let of_values = b.shape(values.node);
    let of_keys = b.shape(attention.keys);
    let Some((heads, swapped)) = heads_of(&values.view, of_values) else { return refuse(PATTERN) };
    let is_upright = !swapped || of_values.h * of_values.w == 1 || of_values.c == heads;
    if !is_upright || heads != attention.heads || of_values != of_keys {
        return refuse(PATTERN);
    }
    let (shares, found) = (attention.view.dims(), values.dims());
    let fits = match (shares.split_last_chunk::<2>(), found.split_last_chunk::<2>()) {
        (Some((first, _)), Some((second, of_second))) => {
            first == second && *of_second == [of_values.h * of_values.w, of_values.c / heads]
        }
        _ => false,
    };
    if !fits {
        return refuse(PATTERN);
    }
    // Ours divides by the root of a head's channels itself.
    let channels = b.shape(attention.queries).c / heads;
    let factor = attention.factor * (channels as f32).sqrt();
    let queries: NodeId =
        if (factor - 1.0).abs() < 1e-6 { attention.queries } else { b.line(attention.queries, factor, 0.0)? };
    let node = b.graph.attention(queries, attention.keys, values.node, heads)?;
    Ok(Value::Map(Map { node, view: attention.view.clone(), factor: values.factor }))
}
