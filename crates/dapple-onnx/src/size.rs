//! Sizes that the model computes itself.

use crate::attributes::int;
use crate::writer::{Value, Writer};
use dapple_graph::{AvgPool, MaxPool, NodeId, Sizing};

/// The whole shape of a value, `[4]`.
pub(crate) fn shape_of(w: &mut Writer, value: &str) -> Value {
    w.emit("Shape", &[value], Vec::new())
}

/// Height and width of a node's map, `[2]`; computed once. Of a node that is not written, since only its size is
/// wanted, it follows from the size of what it reads.
pub(crate) fn size_of(w: &mut Writer, node: NodeId) -> Value {
    if let Some(size) = w.sizes.get(&node) {
        return size.clone();
    }
    let size = match w.value_if_written(node) {
        Some(value) => {
            let value = value.to_owned();
            w.emit("Shape", &[&value], vec![int("start", 2), int("end", 4)])
        }
        None => computed(w, node),
    };
    w.sizes.insert(node, size.clone());
    size
}

fn computed(w: &mut Writer, id: NodeId) -> Value {
    let node = w.graph.node(id).clone();
    let each = |f: &dyn Fn(usize) -> usize| [f(0) as i64, f(1) as i64];
    match node.op.sizing() {
        Sizing::Conv2d(conv) => {
            let span = each(&|i| conv.dilation[i] * (conv.kernel[i] - 1) + 1);
            let padding = each(&|i| 2 * conv.padding[i]);
            steps(w, node.inputs[0], [padding[0] - span[0], padding[1] - span[1]], conv.stride)
        }
        Sizing::ConvTranspose2d(conv) => {
            // (input - 1) stride - 2 padding + kernel.
            let stride = w.ints(&each(&|i| conv.stride[i]));
            let rest =
                [0, 1].map(|i| (conv.kernel[i] as i64) - (2 * conv.padding[i] + conv.stride[i]) as i64);
            let rest = w.ints(&rest);
            let size = size_of(w, node.inputs[0]);
            let size = w.emit("Mul", &[&size, &stride], Vec::new());
            w.emit("Add", &[&size, &rest], Vec::new())
        }
        Sizing::MaxPool(pool) if pool.ceil => {
            // Rounded up, but without windows that start in the padding behind the image: the smaller of both.
            let up =
                [0, 1].map(|i| (2 * pool.padding[i] + pool.stride[i]) as i64 - 1 - pool.kernel[i] as i64);
            let inside = [0, 1].map(|i| pool.padding[i] as i64 - 1);
            let up = steps(w, node.inputs[0], up, pool.stride);
            let inside = steps(w, node.inputs[0], inside, pool.stride);
            w.emit("Min", &[&up, &inside], Vec::new())
        }
        Sizing::MaxPool(MaxPool { kernel, stride, padding, .. })
        | Sizing::AvgPool(AvgPool { kernel, stride, padding }) => {
            let rest = [0, 1].map(|i| 2 * padding[i] as i64 - kernel[i] as i64);
            steps(w, node.inputs[0], rest, *stride)
        }
        Sizing::Times(factor) => {
            let size = size_of(w, node.inputs[0]);
            let factor = w.ints(&[factor as i64]);
            w.emit("Mul", &[&size, &factor], Vec::new())
        }
        Sizing::Fixed => w.ints(&[node.shape.h as i64, node.shape.w as i64]),
        Sizing::Like(id) => size_of(w, id),
        Sizing::LikeInputOf(id) => {
            let source = w.graph.node(id).inputs[0];
            size_of(w, source)
        }
        Sizing::Input => unreachable!("the image batch is always written"),
        Sizing::Kept | Sizing::Equal => size_of(w, node.inputs[0]),
    }
}

/// `(size + rest) / stride + 1`.
fn steps(w: &mut Writer, node: NodeId, rest: [i64; 2], stride: [usize; 2]) -> Value {
    let size = size_of(w, node);
    let [rest, stride, one] = [rest, stride.map(|s| s as i64), [1, 1]].map(|values| w.ints(&values));
    let reach = w.emit("Add", &[&size, &rest], Vec::new());
    let steps = w.emit("Div", &[&reach, &stride], Vec::new());
    w.emit("Add", &[&steps, &one], Vec::new())
}

/// Batch and channels of an image with another height and width, `[4]`.
pub(crate) fn with_size(w: &mut Writer, value: &str, size: &str) -> Value {
    let start = w.emit("Shape", &[value], vec![int("start", 0), int("end", 2)]);
    w.emit("Concat", &[&start, size], vec![int("axis", 0)])
}

/// Height (axis 0) or width (axis 1) alone, without axes.
pub(crate) fn side(w: &mut Writer, size: &str, axis: i64) -> Value {
    let axis = w.scalar_int(axis);
    w.emit("Gather", &[size, &axis], vec![int("axis", 0)])
}
