//! The two layouts of maps: images `[batch, channels, height, width]`, and tokens `[batch, height * width, channels]`, in
//! which layer norms, linear layers and attention are computed. A map is converted where it is needed in the other layout,
//! once.

use crate::attributes::{int, ints};
use crate::size::size_of;
use crate::writer::{Value, Writer};
use dapple_graph::NodeId;

/// A node's map as an image.
pub(crate) fn image(w: &mut Writer, id: NodeId) -> Value {
    if let Some(value) = w.value_if_written(id) {
        return value.to_owned();
    }
    let tokens = w.tokens[&id].clone();
    let size = size_of(w, id);
    let [batch, channels] = [w.ints(&[0]), w.ints(&[w.graph.shape(id).c as i64])];
    let shape = w.emit("Concat", &[&batch, &channels, &size], vec![int("axis", 0)]);
    let value = w.emit("Transpose", &[&tokens], vec![ints("perm", [0, 2, 1])]);
    let value = w.emit("Reshape", &[&value, &shape], Vec::new());
    w.set_value(id, value.clone());
    value
}

/// A node's map as tokens.
pub(crate) fn tokens(w: &mut Writer, id: NodeId) -> Value {
    if let Some(value) = w.tokens.get(&id) {
        return value.clone();
    }
    let value = w.value(id).to_owned();
    let shape = w.ints(&[0, w.graph.shape(id).c as i64, -1]);
    let value = w.emit("Reshape", &[&value, &shape], Vec::new());
    let value = w.emit("Transpose", &[&value], vec![ints("perm", [0, 2, 1])]);
    w.tokens.insert(id, value.clone());
    value
}

/// Whether a map exists as tokens only.
pub(crate) fn is_tokens(w: &Writer, id: NodeId) -> bool {
    w.tokens.contains_key(&id) && w.value_if_written(id).is_none()
}
