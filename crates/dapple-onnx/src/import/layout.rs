//! From any view of a map to one that operators over images take.

use super::builder::{Builder, MOST_MOVED, Weight};
use super::refusal::{Refusal, refuse};
use super::value::Map;
use super::view::{Run, Side, View, whole};
use dapple_graph::{Conv2d, ConvTranspose2d, NodeId, Shape};
use std::sync::Arc;

const LAYOUT: &str = "its input mixes channels and pixels in an order that no map of an image has";

/// The map as an image, `[1, channels, height, width]`, with the factor still to be multiplied in. Channels in another order,
/// and pixels that are taken from channels or put into them (`DepthToSpace`, `SpaceToDepth`), are moved by a convolution.
pub(crate) fn as_image(b: &mut Builder, map: &Map) -> Result<Map, Refusal> {
    let shape = b.shape(map.node);
    if map.view == View::image(shape) {
        return Ok(map.clone());
    }
    let [batch, channels, height, width] = map.view.axes.as_slice() else {
        return refuse(format!("its input has {} axes, not the four of an image", map.view.axes.len()));
    };
    if !batch.is_empty() {
        return refuse("its input has more than one image in its batch");
    }
    let node = if channels.iter().all(|run| run.side == Side::Channel) {
        let rows = after(height, &whole(shape, Side::Height));
        let columns = after(width, &whole(shape, Side::Width));
        match (rows, columns) {
            (Some([]), Some([])) => {
                let order: Vec<usize> = places(channels).iter().map(|place| place[2]).collect();
                b.select(map.node, &order)?
            }
            (Some(rows), Some(columns)) => out_of_channels(b, map.node, channels, rows, columns)?,
            _ => return refuse(LAYOUT),
        }
    } else {
        into_channels(b, map.node, shape, [channels, height, width])?
    };
    Ok(Map { node, view: View::image(b.shape(node)), factor: map.factor })
}

/// The node of a view that has all sides whole, each in an axis of its own, in any order.
pub(crate) fn as_any_image(b: &mut Builder, map: &Map) -> Result<NodeId, Refusal> {
    let shape = b.shape(map.node);
    let place = |side: Side| map.view.axes.iter().position(|runs| runs.iter().any(|run| run.side == side));
    if let (Some(rows), Some(columns)) = (place(Side::Height), place(Side::Width))
        && rows > columns
    {
        return refuse("its columns stand before its rows");
    }
    let sides = [Side::Height, Side::Width, Side::Channel].map(|side| whole(shape, side));
    let wanted: Vec<&Vec<Run>> = sides.iter().filter(|runs| !runs.is_empty()).collect();
    let found: Vec<&Vec<Run>> = map.view.axes.iter().filter(|runs| !runs.is_empty()).collect();
    let is_whole = wanted.len() == found.len() && wanted.iter().all(|runs| found.contains(runs));
    let map = if is_whole { map.clone() } else { as_image(b, map)? };
    b.plain(&map)
}

/// The runs of an axis behind these.
fn after<'a>(axis: &'a [Run], first: &[Run]) -> Option<&'a [Run]> {
    axis.strip_prefix(first).filter(|rest| rest.iter().all(|run| run.side == Side::Channel))
}

/// For each position of an axis, the row, column and channel that it adds.
fn places(runs: &[Run]) -> Vec<[usize; 3]> {
    let mut places = vec![[0; 3]];
    for run in runs {
        let side = match run.side {
            Side::Height => 0,
            Side::Width => 1,
            Side::Channel => 2,
        };
        places = places
            .iter()
            .flat_map(|place| {
                (0..run.size).map(move |step| {
                    let mut place = *place;
                    place[side] += step * run.stride;
                    place
                })
            })
            .collect();
    }
    places
}

/// Pixels that are runs of channels: a transposed convolution that puts each value in its place.
fn out_of_channels(
    b: &mut Builder,
    x: NodeId,
    channels: &[Run],
    rows: &[Run],
    columns: &[Run],
) -> Result<NodeId, Refusal> {
    let (outs, rows, columns) = (places(channels), places(rows), places(columns));
    let (ins, kh, kw) = (b.shape(x).c, rows.len(), columns.len());
    let len = ins.saturating_mul(outs.len()).saturating_mul(kh * kw);
    if outs.len() * kh * kw != ins || len > MOST_MOVED {
        return refuse(LAYOUT);
    }
    b.afford(len)?;
    let mut values = vec![0.0; len];
    for (out, place) in outs.iter().enumerate() {
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                let channel = place[2] + row[2] + column[2];
                values[((channel * outs.len() + out) * kh + i) * kw + j] = 1.0;
            }
        }
    }
    let weight = Weight { dims: [ins, outs.len(), kh, kw], values: Arc::new(values) };
    let conv = ConvTranspose2d { stride: [kh, kw], ..ConvTranspose2d::new(outs.len(), 1, 1) };
    b.conv_transpose(None, x, weight, None, conv)
}

/// Channels that are inner runs of pixels: a convolution without overlaps that takes each value from its place.
fn into_channels(
    b: &mut Builder,
    x: NodeId,
    shape: Shape,
    [channels, height, width]: [&Vec<Run>; 3],
) -> Result<NodeId, Refusal> {
    // The outer run of a side with the step from one to the next; a side of one row has none.
    let outer = |runs: &[Run], side: Side, all: usize| match runs {
        [] => Some(all),
        [run] if run.side == side && run.stride * run.size == all => Some(run.stride),
        _ => None,
    };
    let steps = [outer(height, Side::Height, shape.h), outer(width, Side::Width, shape.w)];
    let [Some(kh), Some(kw)] = steps else { return refuse(LAYOUT) };
    let outs = places(channels);
    let len = outs.len().saturating_mul(shape.c).saturating_mul(kh.saturating_mul(kw));
    if outs.len() != shape.c.saturating_mul(kh * kw) || len > MOST_MOVED {
        return refuse(LAYOUT);
    }
    b.afford(len)?;
    let mut values = vec![0.0; len];
    for (out, &[row, column, channel]) in outs.iter().enumerate() {
        if row >= kh || column >= kw {
            return refuse(LAYOUT);
        }
        values[((out * shape.c + channel) * kh + row) * kw + column] = 1.0;
    }
    let weight = Weight { dims: [outs.len(), shape.c, kh, kw], values: Arc::new(values) };
    let conv = Conv2d { stride: [kh, kw], ..Conv2d::new(outs.len(), 1) };
    b.conv(None, x, weight, None, conv)
}
