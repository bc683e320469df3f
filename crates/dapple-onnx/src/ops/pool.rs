//! Max pooling and unpooling.

use super::conv::both_ends;
use crate::attributes::{int, ints};
use crate::size::{shape_of, size_of};
use crate::writer::{Value, Writer};
use dapple_graph::{MaxPool, NodeId, Op};

/// Max pooling, with the positions of the maxima where an unpooling needs them.
pub(crate) fn max_pool(w: &mut Writer, id: NodeId, x: &str, pool: &MaxPool, needed: &[bool]) -> Value {
    let attributes = vec![
        ints("kernel_shape", pool.kernel),
        ints("strides", pool.stride),
        ints("pads", both_ends(pool.padding)),
        int("ceil_mode", pool.ceil.into()),
    ];
    let mut nodes = w.graph.nodes().iter().zip(needed);
    let unpooled = nodes.any(|(node, needed)| *needed && node.op == Op::MaxUnpool { pool: id });
    let crop = may_have_window_in_padding(pool).then(|| windows(w, id, pool));
    let cropped = |w: &mut Writer, value: Value| match &crop {
        Some([starts, ends, axes]) => w.emit("Slice", &[&value, starts, ends, axes], Vec::new()),
        None => value,
    };
    if unpooled {
        let [values, positions] = w.emit_two("MaxPool", &[x], attributes);
        let positions = cropped(w, positions);
        w.positions.insert(id, positions);
        cropped(w, values)
    } else {
        let values = w.emit("MaxPool", &[x], attributes);
        cropped(w, values)
    }
}

/// Whether rounding up can give a window that starts in the padding behind the image: the last window starts less
/// than `size + 2 padding - kernel + stride` behind the padded image's edge, and must start before `size + padding`.
fn may_have_window_in_padding(pool: &MaxPool) -> bool {
    pool.ceil && (0..2).any(|i| pool.padding[i] + pool.stride[i] > pool.kernel[i])
}

/// The output without such windows, as `starts`, `ends` and `axes` of a slice. Runtimes disagree about whether they
/// belong to the output; dapple and PyTorch leave them out.
fn windows(w: &mut Writer, id: NodeId, pool: &MaxPool) -> [Value; 3] {
    let input = w.graph.node(id).inputs[0];
    let size = size_of(w, input);
    let stride = w.ints(&pool.stride.map(|s| s as i64));
    // ceil((size + padding) / stride) windows start inside the image or before it.
    let rounding = w.ints(&[0, 1].map(|i| (pool.padding[i] + pool.stride[i]) as i64 - 1));
    let reach = w.emit("Add", &[&size, &rounding], Vec::new());
    let ends = w.emit("Div", &[&reach, &stride], Vec::new());
    [w.ints(&[0, 0]), ends, w.ints(&[2, 3])]
}

/// Puts values back where their maxima stood.
///
/// ONNX counts the positions over the whole flattened input of the pooling, so that scattering into a flat map of
/// zeros of that length is exact for all sizes. Its `MaxUnpool` reads the positions against a size derived from the
/// pooled map, which is wrong where the pooling left out odd rows.
pub(crate) fn max_unpool(w: &mut Writer, x: &str, pool: NodeId) -> Value {
    let source = w.graph.node(pool).inputs[0];
    let source = w.value(source).to_owned();
    let positions = w.positions[&pool].clone();
    let flat = w.ints(&[-1]);
    let shape = shape_of(w, &source);
    let len = w.emit("ReduceProd", &[&shape], vec![int("keepdims", 1)]);
    let zeros = w.emit("ConstantOfShape", &[&len], Vec::new());
    let positions = w.emit("Reshape", &[&positions, &flat], Vec::new());
    let values = w.emit("Reshape", &[x, &flat], Vec::new());
    let map = w.emit("ScatterElements", &[&zeros, &positions, &values], vec![int("axis", 0)]);
    w.emit("Reshape", &[&map, &shape], Vec::new())
}
