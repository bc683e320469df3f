//! Average pooling, adaptive and with windows of one size.

use super::conv::both_ends;
use crate::attributes::{int, ints};
use crate::proto::DataType;
use crate::size::{side, size_of};
use crate::writer::{Value, Writer};
use dapple_graph::{AvgPool, NodeId};

/// Means over windows of one size, the zeros of the padding included.
pub(crate) fn avg_pool(w: &mut Writer, x: &str, pool: &AvgPool) -> Value {
    let attributes = vec![
        ints("kernel_shape", pool.kernel),
        ints("strides", pool.stride),
        ints("pads", both_ends(pool.padding)),
        int("count_include_pad", 1),
    ];
    w.emit("AveragePool", &[x], attributes)
}

/// Means over windows that divide the map into so many rows and columns.
///
/// ONNX's `AdaptiveAvgPool` has windows of one fixed size. Windows that follow the map's size are a product with two
/// matrices of the rows' and the columns' shares, which the model computes from the size in whole numbers.
pub(crate) fn adaptive_avg_pool(w: &mut Writer, x: NodeId, [rows, columns]: [usize; 2]) -> Value {
    let value = w.value(x).to_owned();
    if [rows, columns] == [1, 1] {
        return w.emit("GlobalAveragePool", &[&value], Vec::new());
    }
    let size = size_of(w, x);
    let from_rows = shares(w, &size, 0, rows);
    let from_columns = shares(w, &size, 1, columns);
    let y = w.emit("MatMul", &[&from_rows, &value], Vec::new());
    w.emit("MatMul", &[&y, &from_columns], Vec::new())
}

/// The share that each position of an axis has in each of `count` windows, `floor(i len / count) ..
/// ceil((i + 1) len / count)`: `[windows, len]` for the rows (axis 0), `[len, windows]` for the columns.
fn shares(w: &mut Writer, size: &str, axis: i64, count: usize) -> Value {
    let len = side(w, size, axis);
    let [zero, one] = [0, 1].map(|value| w.scalar_int(value));
    let positions = w.emit("Range", &[&zero, &len, &one], Vec::new());
    let (across, along) = if axis == 0 { ([-1, 1], [1, -1]) } else { ([1, -1], [-1, 1]) };
    let [across, along] = [across, along].map(|shape| w.ints(&shape));
    let positions = w.emit("Reshape", &[&positions, &along], Vec::new());

    let number = count as i64;
    let firsts = w.ints(&(0..number).collect::<Vec<_>>());
    let lasts = w.ints(&(1..=number).collect::<Vec<_>>());
    let [number, round_up] = [number, number - 1].map(|value| w.scalar_int(value));
    let starts = w.emit("Mul", &[&firsts, &len], Vec::new());
    let starts = w.emit("Div", &[&starts, &number], Vec::new());
    let ends = w.emit("Mul", &[&lasts, &len], Vec::new());
    let ends = w.emit("Add", &[&ends, &round_up], Vec::new());
    let ends = w.emit("Div", &[&ends, &number], Vec::new());
    let [starts, ends] = [starts, ends].map(|bounds| w.emit("Reshape", &[&bounds, &across], Vec::new()));

    let behind_start = w.emit("GreaterOrEqual", &[&positions, &starts], Vec::new());
    let before_end = w.emit("Less", &[&positions, &ends], Vec::new());
    let inside = w.emit("And", &[&behind_start, &before_end], Vec::new());
    let lens = w.emit("Sub", &[&ends, &starts], Vec::new());
    let to_float = || vec![int("to", DataType::Float as i64)];
    let inside = w.emit("Cast", &[&inside], to_float());
    let lens = w.emit("Cast", &[&lens], to_float());
    w.emit("Div", &[&inside, &lens], Vec::new())
}
