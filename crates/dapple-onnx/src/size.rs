//! Sizes that the model computes from its maps.

use crate::attributes::int;
use crate::writer::{Value, Writer};
use dapple_graph::NodeId;

/// The whole shape of a value, `[4]`.
pub(crate) fn shape_of(w: &mut Writer, value: &str) -> Value {
    w.emit("Shape", &[value], Vec::new())
}

/// Height and width of a node's map, `[2]`; computed once.
pub(crate) fn size_of(w: &mut Writer, node: NodeId) -> Value {
    if let Some(size) = w.sizes.get(&node) {
        return size.clone();
    }
    let value = w.value(node).to_owned();
    let size = w.emit("Shape", &[&value], vec![int("start", 2), int("end", 4)]);
    w.sizes.insert(node, size.clone());
    size
}

/// Batch and channels of a node's map with another height and width, `[4]`.
pub(crate) fn with_size(w: &mut Writer, node: NodeId, size: &str) -> Value {
    let value = w.value(node).to_owned();
    let start = w.emit("Shape", &[&value], vec![int("start", 0), int("end", 2)]);
    w.emit("Concat", &[&start, size], vec![int("axis", 0)])
}

/// Height (axis 0) or width (axis 1) alone, without axes.
pub(crate) fn side(w: &mut Writer, size: &str, axis: i64) -> Value {
    let axis = w.scalar_int(axis);
    w.emit("Gather", &[size, &axis], vec![int("axis", 0)])
}
