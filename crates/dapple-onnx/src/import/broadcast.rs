//! Tensors of unequal shapes in one operation.

use super::builder::Builder;
use super::constant::{Constant, strides};
use super::layout::as_image;
use super::refusal::{Refusal, refuse};
use super::value::Map;
use super::view::{Side, View, whole};
use dapple_graph::{Interpolation, NodeId, Shape};

/// A known tensor beside a map: one value for all, or one for each channel.
pub(crate) enum Beside {
    One(f32),
    Channels(Vec<f32>),
}

/// The shape of two tensors in one operation.
pub(crate) fn common(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// The map with as many axes in front as a tensor beside it has.
pub(crate) fn with_rank(map: &Map, rank: usize) -> Map {
    let mut axes = vec![Vec::new(); rank.saturating_sub(map.view.axes.len())];
    axes.extend(map.view.axes.iter().cloned());
    Map { view: View { axes }, ..map.clone() }
}

/// A known tensor beside a map, which is spread over channels where only the tensor has them.
pub(crate) fn beside(b: &mut Builder, map: &Map, constant: &Constant) -> Result<(Map, Beside), Refusal> {
    let mut map = with_rank(map, constant.dims.len());
    if let Some(value) = constant.scalar() {
        return Ok((map, Beside::One(value)));
    }
    if constant.len() == 0 {
        return refuse("it reads a constant without values");
    }
    let rank = map.view.axes.len();
    let Some(dims) = common(&map.dims(), &constant.dims) else {
        return refuse(format!("shapes {:?} and {:?} do not fit", map.dims(), constant.dims));
    };
    if dims != map.dims() {
        let wider: Vec<usize> = (0..rank).filter(|&axis| dims[axis] != map.dims()[axis]).collect();
        let shape = b.shape(map.node);
        let [axis] = wider[..] else { return refuse("a constant has more pixels than the map beside it") };
        if shape.c != 1 {
            return refuse("a constant has more pixels than the map beside it");
        }
        let node = b.spread(map.node, dims[axis])?;
        map.view.axes[axis] = whole(b.shape(node), Side::Channel);
        map.node = node;
    }
    let first = rank - constant.dims.len();
    let steps = strides(&constant.dims);
    let wide: Vec<usize> = (0..constant.dims.len()).filter(|&axis| constant.dims[axis] > 1).collect();
    let values = constant.to_floats();
    if !wide.iter().all(|&axis| map.view.is_of_channels(first + axis)) {
        // Equal values are one, wherever they stand.
        return match values.iter().all(|value| value == &values[0]) {
            true => Ok((map, Beside::One(values[0]))),
            false => refuse("a constant that differs between pixels"),
        };
    }
    let place = |channel: usize| -> usize {
        wide.iter().map(|&axis| map.view.position(first + axis, channel) * steps[axis]).sum()
    };
    let channels = b.shape(map.node).c;
    let values: Vec<f32> = (0..channels).map(|channel| values[place(channel)]).collect();
    Ok((map, Beside::Channels(values)))
}

/// Two maps as nodes of one shape, with their common view; their factors are left out.
pub(crate) fn together(b: &mut Builder, a: &Map, c: &Map) -> Result<(NodeId, NodeId, View), Refusal> {
    let rank = a.view.axes.len().max(c.view.axes.len());
    let (mut a, mut c) = (with_rank(a, rank), with_rank(c, rank));
    if common(&a.dims(), &c.dims()).is_none() {
        return refuse(format!("shapes {:?} and {:?} do not fit", a.dims(), c.dims()));
    }
    if !fits(b, &a, &c) && !fits(b, &c, &a) {
        (a, c) = (as_image(b, &a)?, as_image(b, &c)?);
    }
    if fits(b, &a, &c) {
        let y = widened(b, c.node, b.shape(a.node))?;
        return Ok((a.node, y, a.view));
    }
    if fits(b, &c, &a) {
        let x = widened(b, a.node, b.shape(c.node))?;
        return Ok((x, c.node, c.view));
    }
    // Each may lack what the other has: [1, c, 1, 1] beside [1, 1, h, w].
    let (x, y) = (b.shape(a.node), b.shape(c.node));
    let shape = Shape::new(1, x.h.max(y.h), x.w.max(y.w), x.c.max(y.c));
    let nodes = [widened(b, a.node, shape)?, widened(b, c.node, shape)?];
    Ok((nodes[0], nodes[1], View::image(shape)))
}

/// Whether the second map has the sides of the first in the same axes, or one position where that has more.
pub(crate) fn fits(b: &Builder, large: &Map, small: &Map) -> bool {
    let (whole, part) = (b.shape(large.node), b.shape(small.node));
    let is_spread = |side: Side| match side {
        Side::Height => part.h == 1 && whole.h > 1,
        Side::Width => part.w == 1 && whole.w > 1,
        Side::Channel => part.c == 1 && whole.c > 1,
    };
    let sides = [(whole.h, part.h), (whole.w, part.w), (whole.c, part.c)];
    let mut axes = large.view.axes.iter().zip(&small.view.axes);
    large.view.axes.len() == small.view.axes.len()
        && sides.iter().all(|(whole, part)| part == whole || *part == 1)
        && axes.all(|(large, small)| large.iter().filter(|run| !is_spread(run.side)).eq(small.iter()))
}

/// A map repeated over the sides of which it has one position.
pub(crate) fn widened(b: &mut Builder, x: NodeId, to: Shape) -> Result<NodeId, Refusal> {
    let x = if b.shape(x).c == to.c { x } else { b.spread(x, to.c)? };
    b.sample(x, [to.h, to.w], Interpolation::Nearest)
}
