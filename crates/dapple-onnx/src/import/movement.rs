//! Operators that move values and compute none: shapes, orders, parts, joins, padding.

use super::builder::Builder;
use super::call::{Call, in_range};
use super::constant::{axis_of, count};
use super::layout::as_image;
use super::refusal::{Refusal, refuse};
use super::value::{Attention, Map, Value};
use super::view::{Run, Side, View, extent, whole};
use dapple_graph::NodeId;

const SPLIT: &str = "its new shape splits or joins the pixels of the image";

/// `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze`: the new shape of a tensor of this one.
pub(crate) fn new_shape(call: &Call<'_>, dims: &[usize]) -> Result<Vec<usize>, Refusal> {
    let rank = dims.len();
    match call.node.op_type() {
        "Reshape" => {
            let Some(wanted) = call.list("shape", 1)? else { return refuse("it has no shape") };
            let keeps = call.int("allowzero").unwrap_or(0) == 0;
            let mut shape = Vec::with_capacity(wanted.len());
            for (axis, &side) in wanted.iter().enumerate() {
                shape.push(match side {
                    0 if keeps => {
                        *dims.get(axis).ok_or_else(|| Refusal::from("it keeps an axis that is not there"))?
                    }
                    -1 => 0,
                    side => usize::try_from(side)
                        .map_err(|_| Refusal(format!("its shape has a side of {side}")))?,
                });
            }
            let all: usize = dims.iter().product();
            if let Some(open) = wanted.iter().position(|&side| side == -1) {
                let rest: usize = shape
                    .iter()
                    .enumerate()
                    .filter(|(axis, _)| *axis != open)
                    .map(|(_, side)| *side)
                    .try_fold(1usize, usize::checked_mul)
                    .unwrap_or(0);
                shape[open] = all.checked_div(rest).unwrap_or(0);
            }
            if count(&shape) != Some(all) {
                return refuse(format!("shape {wanted:?} does not have the values of {dims:?}"));
            }
            Ok(shape)
        }
        "Flatten" => {
            let axis = call.int("axis").unwrap_or(1);
            let axis = if axis == rank as i64 { rank } else { call.axis(1, rank)? };
            Ok(vec![dims[..axis].iter().product(), dims[axis..].iter().product()])
        }
        "Squeeze" => {
            let gone = match call.list("axes", 1)?.filter(|axes| !axes.is_empty()) {
                Some(axes) => axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Option<Vec<_>>>(),
                None => Some((0..rank).filter(|&axis| dims[axis] == 1).collect()),
            };
            match gone {
                Some(gone) if gone.iter().all(|&axis| dims[axis] == 1) => {
                    Ok((0..rank).filter(|axis| !gone.contains(axis)).map(|axis| dims[axis]).collect())
                }
                _ => refuse("it leaves out an axis that is not there or has several positions"),
            }
        }
        _ => {
            let Some(axes) = call.list("axes", 1)? else { return refuse("it has no axes") };
            let rank = rank + axes.len();
            let new = axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Option<Vec<_>>>();
            let Some(new) = new else { return refuse("it adds an axis that is not there") };
            let mut old = dims.iter().copied();
            Ok((0..rank).map(|axis| if new.contains(&axis) { 1 } else { old.next().unwrap_or(1) }).collect())
        }
    }
}

/// A map or parts of attention in another shape.
pub(crate) fn reshape(call: &Call<'_>) -> Result<Value, Refusal> {
    if let Some(Value::Scores(_) | Value::Shares(_)) = call.input(0) {
        return reshaped_scores(call);
    }
    if let Some(Value::Positions(map)) = call.input(0) {
        let shape = new_shape(call, &map.dims())?;
        let view = map.view.reshaped(&shape).ok_or_else(|| Refusal::from(SPLIT))?;
        return Ok(Value::Positions(Map { view, ..map.clone() }));
    }
    let map = call.map(0)?;
    let shape = new_shape(call, &map.dims())?;
    match map.view.reshaped(&shape) {
        Some(view) => Ok(Value::Map(Map { view, ..map.clone() })),
        None => refuse(SPLIT),
    }
}

/// Heads of attention are joined with the batch and split off again between the product and the softmax by some exporters.
fn reshaped_scores(call: &Call<'_>) -> Result<Value, Refusal> {
    let (attention, is_shares) = match call.input(0) {
        Some(Value::Scores(attention)) => (attention, false),
        Some(Value::Shares(attention)) => (attention, true),
        _ => return refuse("it has no input"),
    };
    let mut dims = attention.view.dims();
    let channels = dims.pop().unwrap_or(1);
    dims.push(attention.tokens);
    let mut shape = new_shape(call, &dims)?;
    if shape.pop() != Some(attention.tokens) {
        return refuse("it splits the keys of attention");
    }
    shape.push(channels);
    let Some(view) = attention.view.reshaped(&shape) else {
        return refuse("it splits the queries of attention");
    };
    let attention = Attention { view, ..attention.clone() };
    Ok(if is_shares { Value::Shares(attention) } else { Value::Scores(attention) })
}

/// `Transpose`.
pub(crate) fn transpose(call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let rank = map.view.axes.len();
    let order: Vec<usize> = match call.ints("perm").filter(|order| !order.is_empty()) {
        None => (0..rank).rev().collect(),
        Some(order) => order.iter().map(|&axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect(),
    };
    match map.view.transposed(&order) {
        Some(view) => Ok(Value::Map(Map { view, ..map.clone() })),
        None => refuse(format!("perm {order:?} is no order of its axes")),
    }
}

/// `DepthToSpace` and `SpaceToDepth`: views that are made into maps where they are needed.
pub(crate) fn blocks(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = as_image(b, call.map(0)?)?;
    let &[n, c, h, w] = map.dims().as_slice() else { return refuse("its input is no image") };
    let side = in_range("blocksize", call.int("blocksize").unwrap_or(0), 1)?;
    let steps = if call.node.op_type() == "SpaceToDepth" {
        if !h.is_multiple_of(side) || !w.is_multiple_of(side) {
            return refuse(format!("{h} x {w} pixels are not divisible into blocks of {side}"));
        }
        let split = vec![n, c, h / side, side, w / side, side];
        (split, [0, 3, 5, 1, 2, 4], vec![n, c * side * side, h / side, w / side])
    } else {
        let inner = c / (side * side);
        if inner * side * side != c {
            return refuse(format!("{c} channels are not divisible into blocks of {side} x {side}"));
        }
        let joined = vec![n, inner, h * side, w * side];
        if call.text("mode") == Some("CRD") {
            (vec![n, inner, side, side, h, w], [0, 1, 4, 2, 5, 3], joined)
        } else {
            (vec![n, side, side, inner, h, w], [0, 3, 4, 1, 5, 2], joined)
        }
    };
    let (split, order, joined) = steps;
    let view = map.view.reshaped(&split).and_then(|view| view.transposed(&order));
    match view.and_then(|view| view.reshaped(&joined)) {
        Some(view) => Ok(Value::Map(as_image(b, &Map { view, ..map })?)),
        None => refuse(SPLIT),
    }
}

/// `Concat` along the channels. Parts without values count for nothing.
pub(crate) fn concat(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut maps = Vec::with_capacity(call.inputs.len());
    for (index, input) in call.inputs.iter().enumerate() {
        if !matches!(input, Some(Value::Known(constant)) if constant.len() == 0) {
            maps.push(call.map(index)?.clone());
        }
    }
    let Some(first) = maps.first() else { return refuse("it has no input") };
    let rank = first.view.axes.len();
    let axis = call.axis(0, rank)?;
    if maps.len() == 1 {
        return Ok(Value::Map(first.clone()));
    }
    if let Some(value) = stacked(b, &maps, axis)? {
        return Ok(value);
    }
    let mut aligned = true;
    for map in &maps {
        aligned &= map.view.axes.len() == rank && map.view.is_channels(axis, b.shape(map.node));
    }
    if !aligned {
        for map in &mut maps {
            *map = as_image(b, map)?;
        }
        if axis != 1 {
            return refuse("it joins maps along other axes than the channels");
        }
    }
    let mut nodes = Vec::with_capacity(maps.len());
    let rest = |map: &Map| -> Vec<Vec<Run>> {
        (0..rank).filter(|&other| other != axis).map(|other| map.view.axes[other].clone()).collect()
    };
    for map in &maps {
        if rest(map) != rest(&maps[0]) {
            return refuse("it joins maps of different layouts or sizes");
        }
        nodes.push(b.plain(map)?);
    }
    let node = b.graph.concat(&nodes)?;
    let node = b.checked(node)?;
    let mut view = maps[0].view.clone();
    view.axes[axis] = whole(b.shape(node), Side::Channel);
    Ok(Value::Map(Map { node, view, factor: 1.0 }))
}

/// Maps of one layout one after another along an axis in which each has one position: more channels, seen as that axis.
fn stacked(b: &mut Builder, maps: &[Map], axis: usize) -> Result<Option<Value>, Refusal> {
    let first = &maps[0];
    let shape = b.shape(first.node);
    let alike = maps.iter().all(|map| map.view == first.view && b.shape(map.node) == shape);
    if !alike || !first.view.axes[axis].is_empty() || shape.c == 1 {
        return Ok(None);
    }
    let mut nodes = Vec::with_capacity(maps.len());
    for map in maps {
        nodes.push(b.plain(map)?);
    }
    let node = b.graph.concat(&nodes)?;
    let node = b.checked(node)?;
    let mut view = first.view.clone();
    view.axes[axis] = vec![Run { side: Side::Channel, stride: shape.c, size: maps.len() }];
    Ok(Some(Value::Map(Map { node, view, factor: 1.0 })))
}

/// The part of an axis of a map: these positions, in this order. The axis stays, also with one position.
pub(crate) fn take(b: &mut Builder, map: &Map, axis: usize, places: &[usize]) -> Result<Map, Refusal> {
    let dims = map.dims();
    if places.iter().copied().eq(0..dims[axis]) {
        return Ok(map.clone());
    }
    if places.is_empty() {
        return refuse("nothing is left of its map");
    }
    if map.view.is_of_channels(axis) {
        return take_channels(b, map, axis, places);
    }
    let shape = b.shape(map.node);
    let is_whole = |run: &Run| run.side == Side::Channel || run.size == extent(shape, run.side);
    if !map.view.axes.iter().flatten().all(is_whole) {
        return refuse("it takes a part of joined axes");
    }
    let all = |len: usize| -> Vec<usize> { (0..len).collect() };
    let (rows, columns) = match map.view.axes[axis][..] {
        [run] if run.side == Side::Height && run.size == shape.h => (places.to_vec(), all(shape.w)),
        [run] if run.side == Side::Width && run.size == shape.w => (all(shape.h), places.to_vec()),
        _ => return refuse("it takes a part of joined axes"),
    };
    let node = pixels(b, map.node, &rows, &columns)?;
    let mut view = map.view.clone();
    let new = b.shape(node);
    for runs in &mut view.axes {
        for run in runs.iter_mut().filter(|run| run.side != Side::Channel) {
            run.size = extent(new, run.side);
        }
        runs.retain(|run| run.size > 1);
    }
    Ok(Map { node, view, factor: map.factor })
}

/// The pixels of these rows and columns, which must be evenly spaced or the nearest ones of another size.
fn pixels(b: &mut Builder, x: NodeId, rows: &[usize], columns: &[usize]) -> Result<NodeId, Refusal> {
    if let Some(node) = b.nearest(x, rows, columns)? {
        return Ok(node);
    }
    let step = |places: &[usize]| match places {
        [_] => Some(1),
        [first, second, ..] => {
            let step = second.checked_sub(*first).filter(|&step| step > 0)?;
            places.iter().enumerate().all(|(i, &place)| place == first + i * step).then_some(step)
        }
        [] => None,
    };
    match (step(rows), step(columns)) {
        (Some(down), Some(right)) => {
            let start = [rows[0] as i64, columns[0] as i64];
            b.window(x, start, [down, right], [rows.len(), columns.len()])
        }
        _ => refuse("it takes pixels that are not evenly spaced"),
    }
}

/// Some of the channels; runs of other axes keep their place beside them.
fn take_channels(b: &mut Builder, map: &Map, axis: usize, places: &[usize]) -> Result<Map, Refusal> {
    let shape = b.shape(map.node);
    // All runs of channels, the outermost first; those of the axis become one, in the place of the first of them.
    let mut runs: Vec<(usize, Run)> = Vec::new();
    for (index, axis_runs) in map.view.axes.iter().enumerate() {
        runs.extend(axis_runs.iter().filter(|run| run.side == Side::Channel).map(|run| (index, *run)));
    }
    runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.stride));
    let own: Vec<Run> = map.view.axes[axis].clone();
    let offset = |place: usize| {
        let mut left = place;
        own.iter().rev().fold(0, |at, run| {
            let digit = left % run.size;
            left /= run.size;
            at + digit * run.stride
        })
    };
    let others: Vec<(usize, Run)> = runs.iter().filter(|(index, _)| *index != axis).copied().collect();
    // The axis stands where its outermost run stood.
    let position = runs.iter().take_while(|(index, _)| *index != axis).count();
    let (outer, inner) = others.split_at(position);
    let mut channels = vec![0];
    let spread = |channels: Vec<usize>, offsets: Vec<usize>| -> Vec<usize> {
        channels.iter().flat_map(|channel| offsets.iter().map(move |offset| channel + offset)).collect()
    };
    let of_run = |run: &Run| -> Vec<usize> { (0..run.size).map(|step| step * run.stride).collect() };
    for (_, run) in outer {
        channels = spread(channels, of_run(run));
    }
    channels = spread(channels, places.iter().map(|&place| offset(place)).collect());
    for (_, run) in inner {
        channels = spread(channels, of_run(run));
    }
    if channels.iter().any(|&channel| channel >= shape.c) {
        return refuse("it takes channels that are not there");
    }
    let node = b.select(map.node, &channels)?;
    // Strides anew, from the innermost run outwards.
    let taken = Run { side: Side::Channel, stride: 1, size: places.len() };
    let order: Vec<(usize, Run)> =
        outer.iter().copied().chain([(axis, taken)]).chain(inner.iter().copied()).collect();
    let mut stride = 1;
    let mut placed: Vec<(usize, Run)> = Vec::with_capacity(order.len());
    for (index, run) in order.into_iter().rev() {
        placed.push((index, Run { stride, ..run }));
        stride *= run.size;
    }
    let mut axes = Vec::with_capacity(map.view.axes.len());
    for (index, mut runs) in map.view.axes.iter().cloned().enumerate() {
        if index == axis {
            runs = placed.iter().filter(|(of, _)| *of == axis).map(|(_, run)| *run).collect();
        } else {
            // The runs of an axis keep their order; each finds its new stride by its old place among all.
            for run in runs.iter_mut().filter(|run| run.side == Side::Channel) {
                let old = *run;
                let place = others.iter().rev().position(|&other| other == (index, old));
                let mut kept = placed.iter().filter(|(of, _)| *of != axis);
                if let Some((_, new)) = place.and_then(|place| kept.nth(place)) {
                    *run = *new;
                }
            }
        }
        runs.retain(|run| run.size > 1);
        axes.push(runs);
    }
    Ok(Map { node, view: View { axes }, factor: map.factor })
}

/// `Pad` of pixels.
pub(crate) fn pad(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = as_image(b, call.map(0)?)?;
    let Some(pads) = call.list("pads", 1)? else { return refuse("it has no pads") };
    let mut before = [0i64; 4];
    let mut after = [0i64; 4];
    match call.list("axes", 3)? {
        None => match pads[..] {
            [n, c, top, left, images, channels, bottom, right] => {
                (before, after) = ([n, c, top, left], [images, channels, bottom, right]);
            }
            _ => return refuse("its pads are not those of an image"),
        },
        Some(axes) if pads.len() == 2 * axes.len() => {
            for (index, &axis) in axes.iter().enumerate() {
                let Some(axis) = axis_of(axis, 4) else { return refuse("it pads an axis that is not there") };
                (before[axis], after[axis]) = (pads[index], pads[axes.len() + index]);
            }
        }
        Some(_) => return refuse("its pads are not two for each axis"),
    }
    if before[..2] != [0, 0] || after[..2] != [0, 0] {
        return refuse("it pads batch or channels");
    }
    let shape = b.shape(map.node);
    let size = [shape.h as i64, shape.w as i64];
    let mut out = [0; 2];
    for axis in 0..2 {
        let (first, last) = (before[2 + axis], after[2 + axis]);
        if first.unsigned_abs() > 1 << 16 || last.unsigned_abs() > 1 << 16 {
            return refuse("it pads by more than 65536 pixels");
        }
        out[axis] = in_range("its result", size[axis] + first + last, 1)?;
    }
    if before[2..] == [0, 0] && after[2..] == [0, 0] {
        return Ok(Value::Map(map));
    }
    let node = match call.text("mode").unwrap_or("constant") {
        "constant" => {
            let value = match call.float("value") {
                Some(value) => Some(value),
                None => call.known(2, "value")?.and_then(|constant| constant.scalar()),
            };
            if value.unwrap_or(0.0) != 0.0 {
                return refuse("it pads with other values than zero");
            }
            b.window(map.node, [-before[2], -before[3]], [1, 1], out)?
        }
        "edge" => {
            let places = |axis: usize| -> Vec<usize> {
                let from = |i: usize| (i as i64 - before[2 + axis]).clamp(0, size[axis] - 1) as usize;
                (0..out[axis]).map(from).collect()
            };
            match b.nearest(map.node, &places(0), &places(1))? {
                Some(node) => node,
                None => return refuse("it repeats the pixels at the edge"),
            }
        }
        mode => return refuse(format!("its mode is {mode}; only zeros are padded")),
    };
    Ok(Value::Map(Map { node, view: View::image(b.shape(node)), factor: map.factor }))
}
