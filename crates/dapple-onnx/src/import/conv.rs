//! Convolutions.

use super::builder::{Builder, Weight};
use super::call::{Call, in_range};
use super::constant::Constant;
use super::layout::as_image;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use super::view::View;
use dapple_graph::{Conv2d, ConvTranspose2d, NodeId};
use std::sync::Arc;

/// Most weights of a transposed convolution after its groups are written as one.
const MOST_WEIGHTS: usize = 1 << 27;

/// Padding before and after, height and width.
pub(crate) type Pads = [[usize; 2]; 2];

/// A convolution.
pub(crate) fn conv(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let weight = weight(call)?;
    let bias = call.known(2, "bias")?.map(Constant::to_floats);
    let x = input(b, call)?;
    let shape = b.shape(x);
    let stride = call.pair("strides", 1, 1)?;
    let dilation = call.pair("dilations", 1, 1)?;
    let span = [0, 1].map(|axis| dilation[axis].saturating_mul(weight.dims[2 + axis] - 1) + 1);
    let pads = pads(call, [shape.h, shape.w], span, stride)?;
    let (x, padding) = padded(b, x, pads)?;
    let groups = groups(call)?;
    let conv = Conv2d { stride, padding, dilation, groups, ..Conv2d::new(1, 1) };
    let name = name_of(call);
    let node = b.conv(Some(name.as_str()), x, weight, bias, conv)?;
    image(b, node)
}

/// A transposed convolution. Groups, dilation and output padding become zeros of the weights, and uneven padding is cut off.
pub(crate) fn transposed(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let weight = weight(call)?;
    let bias = call.known(2, "bias")?.map(Constant::to_floats);
    let x = input(b, call)?;
    let shape = b.shape(x);
    let stride = call.pair("strides", 1, 1)?;
    let dilation = call.pair("dilations", 1, 1)?;
    let more = call.pair("output_padding", 0, 0)?;
    let groups = groups(call)?;
    let span = [0, 1].map(|axis| dilation[axis].saturating_mul(weight.dims[2 + axis] - 1) + 1);
    let size = [shape.h, shape.w];
    let full = [0, 1].map(|axis| (size[axis] - 1) * stride[axis] + span[axis] + more[axis]);
    let mut out = [0; 2];
    let mut before = [0; 2];
    let wanted = match call.ints("output_shape").filter(|values| !values.is_empty()) {
        Some([.., h, w]) => Some([*h, *w].map(|side| usize::try_from(side).unwrap_or(0))),
        Some(_) => return refuse("its output_shape has not two sides"),
        None => None,
    };
    let automatic = call.text("auto_pad").unwrap_or("NOTSET");
    for axis in 0..2 {
        let given = match (wanted, automatic) {
            (Some(wanted), _) => Some(wanted[axis]),
            (None, "SAME_UPPER" | "SAME_LOWER") => Some(size[axis] * stride[axis]),
            (None, _) => None,
        };
        if let Some(given) = given {
            let Some(total) = full[axis].checked_sub(given) else {
                return refuse("its output is larger than what it computes");
            };
            // The half that is rounded up stands before, but after for SAME_UPPER.
            before[axis] = if automatic == "SAME_UPPER" { total / 2 } else { total - total / 2 };
            out[axis] = given;
        } else {
            let [first, last] = explicit(call)?[axis];
            let Some(rest) = full[axis].checked_sub(first + last) else {
                return refuse("its padding leaves no output");
            };
            before[axis] = first;
            out[axis] = rest;
        }
    }
    b.afford(weight.values.len().saturating_mul(groups))?;
    let weight = dense(&weight, groups, dilation, more)?;
    // Even padding is the convolution's own; the rest is cut off behind it.
    let padding = [0, 1].map(|axis| before[axis].min(full[axis].saturating_sub(out[axis] + before[axis])));
    let conv = ConvTranspose2d { stride, padding, ..ConvTranspose2d::new(1, 1, 1) };
    let name = name_of(call);
    let node = b.conv_transpose(Some(name.as_str()), x, weight, bias, conv)?;
    let start = [0, 1].map(|axis| (before[axis] - padding[axis]) as i64);
    let node = b.window(node, start, [1, 1], out)?;
    image(b, node)
}

/// The weights of one group, with their dilation and output padding as zeros.
fn dense(weight: &Weight, groups: usize, dilation: [usize; 2], more: [usize; 2]) -> Result<Weight, Refusal> {
    let [ins, outs, kh, kw] = weight.dims;
    if groups == 1 && dilation == [1, 1] && more == [0, 0] {
        return Ok(Weight { dims: weight.dims, values: Arc::clone(&weight.values) });
    }
    if !ins.is_multiple_of(groups) {
        return refuse(format!("{ins} channels are not divisible into {groups} groups"));
    }
    let all = outs.saturating_mul(groups);
    let [th, tw] = [(kh - 1).saturating_mul(dilation[0]) + 1, (kw - 1).saturating_mul(dilation[1]) + 1];
    let (th, tw) = (th.saturating_add(more[0]), tw.saturating_add(more[1]));
    let len = ins.saturating_mul(all).saturating_mul(th).saturating_mul(tw);
    if len > MOST_WEIGHTS {
        return refuse("its weights are too many once its groups are written as one");
    }
    let mut values = vec![0.0; len];
    let per_group = ins / groups;
    for input in 0..ins {
        let first = input / per_group * outs;
        for out in 0..outs {
            for i in 0..kh {
                for j in 0..kw {
                    let to = ((input * all + first + out) * th + i * dilation[0]) * tw + j * dilation[1];
                    values[to] = weight.values[((input * outs + out) * kh + i) * kw + j];
                }
            }
        }
    }
    Ok(Weight { dims: [ins, all, th, tw], values: Arc::new(values) })
}

fn image(b: &Builder, node: NodeId) -> Result<Value, Refusal> {
    Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: 1.0 }))
}

/// The map as an image with its factor.
fn input(b: &mut Builder, call: &Call<'_>) -> Result<NodeId, Refusal> {
    let map = as_image(b, call.map(0)?)?;
    b.plain(&map)
}

fn weight(call: &Call<'_>) -> Result<Weight, Refusal> {
    let constant = call.needed(1, "weight")?;
    let &[a, b, kh, kw] = constant.dims.as_slice() else {
        return refuse(format!(
            "its weight has {} axes; only convolutions over two sides are read",
            constant.dims.len()
        ));
    };
    if constant.len() == 0 {
        return refuse("its weight has no values");
    }
    Ok(Weight { dims: [a, b, kh, kw], values: constant.to_floats() })
}

/// The name of the weight in the file.
fn name_of(call: &Call<'_>) -> String {
    call.node.input.get(1).cloned().unwrap_or_default()
}

fn groups(call: &Call<'_>) -> Result<usize, Refusal> {
    in_range("group", call.int("group").unwrap_or(1), 1)
}

/// `pads`: above, left, below, right.
fn explicit(call: &Call<'_>) -> Result<Pads, Refusal> {
    match call.ints("pads").filter(|pads| !pads.is_empty()) {
        None => Ok([[0; 2]; 2]),
        Some(&[top, left, bottom, right]) => {
            let side = |value| in_range("pads", value, 0);
            Ok([[side(top)?, side(bottom)?], [side(left)?, side(right)?]])
        }
        Some(_) => refuse("its pads are not those of two sides"),
    }
}

/// The padding of windows of `span` pixels in steps of `stride`.
pub(crate) fn pads(
    call: &Call<'_>,
    size: [usize; 2],
    span: [usize; 2],
    stride: [usize; 2],
) -> Result<Pads, Refusal> {
    let same = |lower: bool| {
        [0, 1].map(|axis| {
            let out = size[axis].div_ceil(stride[axis]);
            let total = ((out - 1) * stride[axis] + span[axis]).saturating_sub(size[axis]);
            let half = total / 2;
            if lower { [total - half, half] } else { [half, total - half] }
        })
    };
    match call.text("auto_pad").unwrap_or("NOTSET") {
        "SAME_UPPER" => Ok(same(false)),
        "SAME_LOWER" => Ok(same(true)),
        "VALID" => Ok([[0; 2]; 2]),
        "NOTSET" | "" => explicit(call),
        other => refuse(format!("its auto_pad is `{}`", other.escape_debug())),
    }
}

/// The map and the padding that is left to the convolution: uneven padding is added to the map.
fn padded(b: &mut Builder, x: NodeId, pads: Pads) -> Result<(NodeId, [usize; 2]), Refusal> {
    let even = pads.map(|[before, after]| before.min(after));
    if pads.iter().all(|[before, after]| before == after) {
        return Ok((x, even));
    }
    let shape = b.shape(x);
    let start = [0, 1].map(|axis| -((pads[axis][0] - even[axis]) as i64));
    let rest = [0, 1].map(|axis| pads[axis][0] + pads[axis][1] - 2 * even[axis]);
    let x = b.window(x, start, [1, 1], [shape.h + rest[0], shape.w + rest[1]])?;
    Ok((x, even))
}
