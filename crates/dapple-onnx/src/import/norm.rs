//! Normalizations.

use super::builder::Builder;
use super::call::{Call, in_range};
use super::constant::{Constant, axis_of};
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use super::view::{Side, whole};
use std::sync::Arc;

/// The name of a parameter's value in the file.
fn name_of<'a>(call: &'a Call<'_>) -> Option<&'a str> {
    call.node.input.get(1).map(String::as_str)
}

/// `BatchNormalization` with its running statistics.
pub(crate) fn batch(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    // Before opset 14, further outputs (the statistics of the batch) tell the mode.
    let gives_statistics = call.node.output.iter().skip(1).any(|name| !name.is_empty());
    if call.int("training_mode").unwrap_or(0) != 0 || gives_statistics {
        return refuse("it is in training mode; export the model in evaluation mode");
    }
    let map = call.map(0)?;
    if !map.view.is_channels(1, b.shape(map.node)) {
        return refuse("its second axis is not that of the channels");
    }
    let params = ["scale", "bias", "mean", "variance"];
    let mut values = Vec::with_capacity(4);
    for (index, name) in params.into_iter().enumerate() {
        values.push(call.needed(1 + index, name)?.to_floats());
    }
    let [scale, shift, mean, var]: [Arc<Vec<f32>>; 4] =
        values.try_into().map_err(|_| Refusal("it has not four parameters".to_owned()))?;
    let x = b.plain(map)?;
    let eps = call.float("epsilon").unwrap_or(1e-5);
    let node = b.batch_norm(name_of(call), x, [scale, shift, mean, var], eps)?;
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}

/// `LayerNormalization` over the channels.
pub(crate) fn layer(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let rank = map.view.axes.len();
    let axis = call.axis(-1, rank)?;
    if axis + 1 != rank {
        return refuse("it goes over several axes");
    }
    let channels = b.shape(map.node).c;
    let scale = call.needed(1, "scale")?.to_floats();
    let shift = call.known(2, "bias")?.map_or_else(|| Arc::new(vec![0.0; channels]), Constant::to_floats);
    let eps = call.float("epsilon").unwrap_or(1e-5);
    over_channels(b, map, axis, [scale, shift], eps, name_of(call))
}

/// A layer norm over an axis that must be that of all channels.
pub(crate) fn over_channels(
    b: &mut Builder,
    map: &Map,
    axis: usize,
    params: [Arc<Vec<f32>>; 2],
    eps: f32,
    name: Option<&str>,
) -> Result<Value, Refusal> {
    if !map.view.is_channels(axis, b.shape(map.node)) {
        return refuse("it does not go over the channels of each pixel");
    }
    let x = b.plain(map)?;
    let node = b.layer_norm(name, x, params, eps)?;
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}

/// The decomposed form, whose mean and variance are found by their pattern: scale and shift follow as operations of their own.
pub(crate) fn decomposed(b: &mut Builder, map: &Map, axes: &[i64], eps: f32) -> Result<Value, Refusal> {
    let &[axis] = axes else { return refuse("it normalizes over several axes") };
    let channels = b.shape(map.node).c;
    let Some(axis) = axis_of(axis, map.view.axes.len()) else {
        return refuse("it normalizes over an axis that is not there");
    };
    let params = [1.0, 0.0].map(|value| Arc::new(vec![value; channels]));
    over_channels(b, map, axis, params, eps, None)
}

/// `InstanceNormalization`: a group norm of as many groups as the second axis has positions.
pub(crate) fn instance(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let shape = b.shape(map.node);
    let groups = map.dims().get(1).copied().unwrap_or(0);
    // The second axis is the outer run of the channels; what is left of them belongs to the group.
    let is_outer = match map.view.axes.get(1).map(Vec::as_slice) {
        Some([]) => true,
        Some([run]) => run.side == Side::Channel && run.stride * run.size == shape.c,
        _ => false,
    };
    if !is_outer || map.dims().first() != Some(&1) {
        return refuse("its second axis is not that of the channels or of their groups");
    }
    let per_group = shape.c / groups.max(1);
    let spread = |values: Arc<Vec<f32>>| -> Arc<Vec<f32>> {
        // Any other number of values is refused with that of the channels.
        if per_group == 1 || values.len() != groups {
            return values;
        }
        Arc::new(values.iter().flat_map(|&value| std::iter::repeat_n(value, per_group)).collect())
    };
    let params = [spread(call.needed(1, "scale")?.to_floats()), spread(call.needed(2, "bias")?.to_floats())];
    let eps = call.float("epsilon").unwrap_or(1e-5);
    let x = b.plain(map)?;
    let node = b.group_norm(name_of(call), x, groups, params, eps)?;
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}

/// `GroupNormalization`, with parameters of groups before opset 21 and of channels since.
pub(crate) fn group(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let shape = b.shape(map.node);
    if map.view.axes.get(1) != Some(&whole(shape, Side::Channel)) {
        return refuse("its second axis is not that of the channels");
    }
    let groups = in_range("num_groups", call.int("num_groups").unwrap_or(0), 1)?;
    if !shape.c.is_multiple_of(groups) {
        return refuse(format!("{} channels are not divisible into {groups} groups", shape.c));
    }
    let per_group = shape.c / groups;
    let spread = |values: Arc<Vec<f32>>| -> Arc<Vec<f32>> {
        // Any other number of values is refused with that of the channels.
        if values.len() != groups {
            return values;
        }
        Arc::new(values.iter().flat_map(|&value| std::iter::repeat_n(value, per_group)).collect())
    };
    let params = [spread(call.needed(1, "scale")?.to_floats()), spread(call.needed(2, "bias")?.to_floats())];
    let eps = call.float("epsilon").unwrap_or(1e-5);
    let x = b.plain(map)?;
    let node = b.group_norm(name_of(call), x, groups, params, eps)?;
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}
