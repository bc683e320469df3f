//! Pooling.

use super::builder::Builder;
use super::call::Call;
use super::conv::{Pads, pads};
use super::layout::as_image;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use super::view::View;
use dapple_graph::{AvgPool, MaxPool, NodeId, Op, Pointwise};

/// `MaxPool`.
pub(crate) fn max_pool(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.pair("dilations", 1, 1)? != [1, 1] {
        return refuse("its windows have dilation");
    }
    let x = input(b, call)?;
    let (kernel, stride) = window(call)?;
    let shape = b.shape(x);
    let size = [shape.h, shape.w];
    let pads = pads(call, size, kernel, stride)?;
    let out = sizes(call, size, kernel, stride, pads)?;
    let padding = pads.map(|[before, _]| before);
    // What is padded behind the map counts as minus infinity, as in a last window that reaches past it.
    for ceil in [false, true] {
        let pool = MaxPool { kernel, stride, padding, ceil };
        if pool.output_size(size) == Some(out) {
            let node = b.graph.max_pool(x, &pool)?;
            return image(b, node);
        }
    }
    // Zeros change no maximum of values that are never negative.
    if is_positive(b, x) {
        let start = padding.map(|before| -(before as i64));
        let wide = [0, 1].map(|axis| (out[axis] - 1) * stride[axis] + kernel[axis]);
        let x = b.window(x, start, [1, 1], wide)?;
        let node = b.graph.max_pool(x, &MaxPool { kernel, stride, padding: [0; 2], ceil: false })?;
        return image(b, node);
    }
    refuse(format!("its padding {pads:?} cannot be read"))
}

/// The values and the positions of a `MaxPool`.
pub(crate) fn max_pool_with_positions(b: &mut Builder, call: &Call<'_>) -> Result<Vec<Value>, Refusal> {
    if call.int("storage_order").unwrap_or(0) != 0 {
        return refuse("it counts positions by columns");
    }
    let value = max_pool(b, call)?;
    let Value::Map(map) = &value else { return refuse("its input cannot be read") };
    let positions = Value::Positions(map.clone());
    Ok(vec![value, positions])
}

/// `ScatterElements` of values into zeros at the positions of the maxima that a pooling took.
pub(crate) fn unpool(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    const PATTERN: &str = "it is read for unpooling only, as dapple writes it";
    let (Some(Value::Known(zeros)), Some(Value::Positions(pool)), Some(Value::Map(values))) =
        (call.input(0), call.input(1), call.input(2))
    else {
        return refuse(PATTERN);
    };
    if call.text("reduction").is_some_and(|reduction| reduction != "none") {
        return refuse(PATTERN);
    }
    let is_flat = values.view == pool.view && values.view.axes.len() == 1;
    let is_zero = zeros.to_floats().iter().all(|&value| value == 0.0);
    if !is_flat || !is_zero || !matches!(b.graph.node(pool.node).op, Op::MaxPool(_)) {
        return refuse(PATTERN);
    }
    let node = b.graph.max_unpool(values.node, pool.node)?;
    let shape = b.shape(node);
    let len = shape.h * shape.w * shape.c;
    match View::image(shape).reshaped(&[len]) {
        Some(view) if zeros.len() == len => Ok(Value::Map(Map { node, view, factor: values.factor })),
        _ => refuse(PATTERN),
    }
}

/// Whether no value of a map is negative.
fn is_positive(b: &Builder, mut x: NodeId) -> bool {
    loop {
        let node = b.graph.node(x);
        match node.op {
            Op::Relu | Op::Pointwise(Pointwise::Sigmoid | Pointwise::Relu6 | Pointwise::HardSigmoid) => {
                return true;
            }
            Op::MaxPool(_) | Op::AvgPool(_) | Op::FitTo { .. } | Op::Resize { .. } | Op::Upscale { .. } => {
                x = node.inputs[0];
            }
            _ => return false,
        }
    }
}

/// `AveragePool`.
pub(crate) fn average_pool(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.pair("dilations", 1, 1)? != [1, 1] {
        return refuse("its windows have dilation");
    }
    let x = input(b, call)?;
    let (kernel, stride) = window(call)?;
    let shape = b.shape(x);
    let size = [shape.h, shape.w];
    let pads = pads(call, size, kernel, stride)?;
    let out = sizes(call, size, kernel, stride, pads)?;
    let is_padded = pads != [[0; 2]; 2];
    if is_padded && call.int("count_include_pad").unwrap_or(0) == 0 {
        return refuse("its padding does not count in the means (count_include_pad = 0)");
    }
    let even = pads.map(|[before, after]| before.min(after));
    let x = if pads.iter().all(|[before, after]| before == after) {
        x
    } else {
        let start = [0, 1].map(|axis| even[axis] as i64 - pads[axis][0] as i64);
        let wide = [0, 1].map(|axis| size[axis] + pads[axis][0] + pads[axis][1] - 2 * even[axis]);
        b.window(x, start, [1, 1], wide)?
    };
    let pool = AvgPool { kernel, stride, padding: even };
    let node = b.graph.avg_pool(x, &pool)?;
    let found = b.shape(node);
    if [found.h, found.w] != out {
        return refuse("its last windows reach past the map (ceil_mode)");
    }
    image(b, node)
}

/// The mean or the maximum of each channel.
pub(crate) fn global(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = as_image(b, call.map(0)?)?;
    if call.node.op_type() == "GlobalAveragePool" {
        let node = b.graph.adaptive_avg_pool(map.node, [1, 1])?;
        return Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: map.factor }));
    }
    let x = b.plain(&map)?;
    let node = global_max(b, x)?;
    image(b, node)
}

/// The maximum of each channel, by poolings of rows and of columns.
pub(crate) fn global_max(b: &mut Builder, mut x: NodeId) -> Result<NodeId, Refusal> {
    loop {
        let shape = b.shape(x);
        if (shape.h, shape.w) == (1, 1) {
            return Ok(x);
        }
        let kernel = if shape.h > 1 { [shape.h.min(256), 1] } else { [1, shape.w.min(256)] };
        x = b.graph.max_pool(x, &MaxPool { kernel, stride: kernel, padding: [0; 2], ceil: true })?;
    }
}

fn input(b: &mut Builder, call: &Call<'_>) -> Result<NodeId, Refusal> {
    let map = as_image(b, call.map(0)?)?;
    b.plain(&map)
}

fn image(b: &Builder, node: NodeId) -> Result<Value, Refusal> {
    let node = b.checked(node)?;
    Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: 1.0 }))
}

/// Kernel and stride.
fn window(call: &Call<'_>) -> Result<([usize; 2], [usize; 2]), Refusal> {
    let kernel = call.pair("kernel_shape", 1, 0)?;
    if kernel.contains(&0) {
        return refuse("it has no kernel_shape");
    }
    Ok((kernel, call.pair("strides", 1, 1)?))
}

/// The size of the output; a last window that would start in the padding behind the map is dropped.
fn sizes(
    call: &Call<'_>,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    pads: Pads,
) -> Result<[usize; 2], Refusal> {
    let up = call.int("ceil_mode").unwrap_or(0) != 0;
    let mut out = [0; 2];
    for axis in 0..2 {
        let [before, after] = pads[axis];
        // Rounded up, a window may reach past the map and its padding.
        let past = if up { stride[axis].saturating_sub(1) } else { 0 };
        let Some(steps) = (size[axis] + before + after + past).checked_sub(kernel[axis]) else {
            return refuse("its map is smaller than its kernel; use a larger image");
        };
        out[axis] = steps / stride[axis] + 1;
        if up && (out[axis] - 1) * stride[axis] >= size[axis] + before {
            out[axis] -= 1;
        }
    }
    Ok(out)
}
