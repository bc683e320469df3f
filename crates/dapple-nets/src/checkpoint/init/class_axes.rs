//! The axes of a network's parameters that follow its classes, and the values of a class along them.

use crate::config::{Activation, NetConfig};
use dapple_graph::{GraphError, Network, Shape};
use std::collections::HashMap;

/// Numbers of classes that no layer has by itself; the second is for networks of as many classes as the first.
const PROBES: [usize; 2] = [251, 241];

/// For each parameter, by name, how many values along each axis belong to one logit; 0 for an axis that does not follow the
/// classes. Several values are those of outputs that are put together, one output after another.
pub(super) fn class_axes(config: &NetConfig) -> Result<HashMap<String, Vec<usize>>, GraphError> {
    let logits = config.logits();
    let classes = if logits == PROBES[0] { PROBES[1] } else { PROBES[0] };
    let probe = NetConfig { classes, activation: Activation::Softmax, ..config.clone() };
    let side = config.entry().map_or(1, |entry| entry.smallest);
    let shape = Shape::new(1, side, side, config.in_channels);
    let (graph, probe) = (config.build(shape)?, probe.build(shape)?);
    let probed: HashMap<&str, &[usize]> =
        probe.params().iter().map(|spec| (spec.name.as_str(), spec.shape.as_slice())).collect();
    let axes = graph.params().iter().filter_map(|spec| {
        let other = probed.get(spec.name.as_str())?;
        let axes = spec.shape.iter().zip(*other).map(|(&here, &there)| match here == there {
            true => 0,
            false => here / logits,
        });
        Some((spec.name.clone(), axes.collect()))
    });
    Ok(axes.collect())
}

/// The values of a parameter whose classes are chosen from those of another: `of[k]` is the logit there that logit `k` here
/// stands for. Values of logits without one, and all of a parameter whose other axes differ, stay as they are in `values`.
pub(super) fn chosen(
    values: &mut [f32],
    shape: &[usize],
    (there, shape_there): (&[f32], &[usize]),
    axes: &[usize],
    of: &[Option<usize>],
    logits_there: usize,
) {
    let fits = |((&axis, &here), &there): ((&usize, &usize), &usize)| match axis {
        0 => here == there,
        count => here == count * of.len() && there == count * logits_there,
    };
    if shape.len() != shape_there.len() || !axes.iter().zip(shape).zip(shape_there).all(fits) {
        return;
    }
    let strides = |shape: &[usize]| -> Vec<usize> {
        (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
    };
    let (strides_here, strides_there) = (strides(shape), strides(shape_there));
    for (place, value) in values.iter_mut().enumerate() {
        let index = |axis: usize| place / strides_here[axis] % shape[axis];
        let source = (0..shape.len()).try_fold(0, |sum, axis| {
            let index = match axes[axis] {
                0 => index(axis),
                _ => index(axis) / of.len() * logits_there + of[index(axis) % of.len()]?,
            };
            Some(sum + index * strides_there[axis])
        });
        if let Some(source) = source {
            *value = there[source];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_follow_their_classes() {
        // Two logits here, three there; logit 0 is logit 2 there, logit 1 is new. Two outputs beside each other.
        let of = [Some(2), None];
        let there: Vec<f32> = (0..3 * 6).map(|value| value as f32).collect();
        let mut here = vec![-1.0; 2 * 4];
        chosen(&mut here, &[2, 4], (&there, &[3, 6]), &[1, 2], &of, 3);
        assert_eq!(here, [14.0, -1.0, 17.0, -1.0, -1.0, -1.0, -1.0, -1.0]);
        let mut other = vec![-1.0; 2 * 5];
        chosen(&mut other, &[2, 5], (&there, &[3, 6]), &[1, 0], &of, 3);
        assert!(other.iter().all(|&value| value == -1.0), "another shape is left alone");
    }

    #[test]
    fn the_axes_of_all_networks_follow_their_classes() {
        for entry in crate::registry::networks() {
            let config =
                NetConfig { activation: Activation::Softmax, ..NetConfig::new(&entry.name, 3, 5).unwrap() };
            let axes = class_axes(&config).unwrap();
            let heads = |name: &str| entry.heads.iter().any(|prefix| name.starts_with(prefix));
            let following = axes.iter().filter(|(_, axes)| axes.iter().any(|&axis| axis > 0));
            let names: Vec<&String> = following.map(|(name, _)| name).collect();
            assert!(!names.is_empty() && names.iter().all(|name| heads(name)), "{}: {names:?}", entry.name);
        }
    }
}
