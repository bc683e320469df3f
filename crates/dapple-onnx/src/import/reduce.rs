//! Means, sums and maxima over axes.

use super::builder::{Builder, MOST_MOVED, Weight};
use super::call::Call;
use super::constant::axis_of;
use super::pool::global_max;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use super::view::{Run, Side, View, whole};
use dapple_graph::{Conv2d, NodeId, Op};
use std::sync::Arc;

/// `ReduceMean`, `ReduceSum` and `ReduceMax` over all pixels, over channels, or both.
pub(crate) fn reduce(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let rank = map.view.axes.len();
    // No axes are all of them, or none.
    let axes = match call.list("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes
            .iter()
            .map(|&axis| axis_of(axis, rank).ok_or_else(|| Refusal(format!("axis {axis} of {rank}"))))
            .collect::<Result<Vec<_>, _>>()?,
        None if call.int("noop_with_empty_axes").unwrap_or(0) != 0 => return Ok(Value::Map(map.clone())),
        None => (0..rank).collect(),
    };
    if (1..axes.len()).any(|index| axes[..index].contains(&axes[index])) {
        return refuse("it names an axis twice");
    }
    let reduced: Vec<Run> = axes.iter().flat_map(|&axis| map.view.axes[axis].iter().copied()).collect();
    let shape = b.shape(map.node);
    let of_pixels: Vec<Run> = reduced.iter().filter(|run| run.side != Side::Channel).copied().collect();
    let of_channels: Vec<Run> = reduced.iter().filter(|run| run.side == Side::Channel).copied().collect();
    let all_pixels = [whole(shape, Side::Height), whole(shape, Side::Width)].concat();
    let covers = all_pixels.iter().all(|run| of_pixels.contains(run));
    if !of_pixels.is_empty() && !covers {
        return refuse("it goes over a part of the pixels");
    }
    let op = call.node.op_type();
    let mut map = map.clone();
    if op == "ReduceMax" {
        if !of_channels.is_empty() {
            return refuse("it takes the largest of several channels");
        }
        let x = b.plain(&map)?;
        map = Map { node: global_max(b, x)?, factor: 1.0, ..map };
    } else {
        if !of_pixels.is_empty() {
            map.node = b.graph.adaptive_avg_pool(map.node, [1, 1])?;
            if op == "ReduceSum" {
                map.factor *= (shape.h * shape.w) as f32;
            }
        }
        if !of_channels.is_empty() {
            map.node = over_channels(b, map.node, &of_channels, op == "ReduceMean")?;
            let kept = |axis: &mut Vec<Run>| axis.iter_mut().for_each(|run| shift(run, &of_channels));
            for (index, axis) in map.view.axes.iter_mut().enumerate() {
                if axes.contains(&index) {
                    axis.clear();
                } else {
                    kept(axis);
                }
            }
        }
    }
    let keep = call.int("keepdims").unwrap_or(1) != 0;
    let mut left = Vec::with_capacity(rank);
    for (index, axis) in map.view.axes.iter().enumerate() {
        match axes.contains(&index) {
            true if keep => left.push(Vec::new()),
            true => {}
            false => left.push(axis.clone()),
        }
    }
    map.view = View { axes: left };
    Ok(Value::Map(map))
}

/// The steps of a run of channels once these runs have become one position each.
fn shift(run: &mut Run, gone: &[Run]) {
    if run.side == Side::Channel {
        let inner = gone.iter().filter(|gone| gone.stride < run.stride);
        run.stride /= inner.map(|gone| gone.size).product::<usize>();
    }
}

/// Sums or means of the channels that agree in all but these runs: a convolution of one pixel.
fn over_channels(b: &mut Builder, x: NodeId, gone: &[Run], mean: bool) -> Result<NodeId, Refusal> {
    let channels = b.shape(x).c;
    let size: usize = gone.iter().map(|run| run.size).product();
    let outs = channels / size;
    if let Some(maps) = joined(b, x, gone) {
        let mut sum = maps[0];
        for &map in &maps[1..] {
            sum = b.graph.add(sum, map)?;
        }
        return if mean { b.line(sum, 1.0 / size as f32, 0.0) } else { Ok(sum) };
    }
    if !mean && outs == 1 {
        return Ok(b.graph.channel_sum(x, 1)?);
    }
    let share = if mean { 1.0 / size as f32 } else { 1.0 };
    let len = outs.saturating_mul(channels);
    if len > MOST_MOVED {
        return refuse("it goes over too many channels");
    }
    b.afford(len)?;
    let mut values = vec![0.0; len];
    for channel in 0..channels {
        // The channel without the positions in these runs, counted among those that are left.
        let mut runs: Vec<Run> = gone.to_vec();
        runs.sort_by_key(|run| run.stride);
        let (mut rest, mut out, mut done, mut scale) = (channel, 0, 1, 1);
        for run in runs {
            let below = run.stride / done;
            out += rest % below * scale;
            scale *= below;
            rest = rest / below / run.size;
            done = run.stride * run.size;
        }
        out += rest * scale;
        values[out * channels + channel] = share;
    }
    let weight = Weight { dims: [outs, channels, 1, 1], values: Arc::new(values) };
    b.conv(None, x, weight, None, Conv2d::new(outs, 1))
}

/// The maps that were joined into one, where the outermost run of channels counts them.
fn joined(b: &Builder, x: NodeId, gone: &[Run]) -> Option<Vec<NodeId>> {
    let node = b.graph.node(x);
    let &[run] = gone else { return None };
    let alike = node.inputs.iter().all(|&input| b.shape(input).c == run.stride);
    let counts = node.op == Op::Concat && node.inputs.len() == run.size && run.size > 1;
    (counts && alike).then(|| node.inputs.clone())
}
