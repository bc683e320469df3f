//! The primary output in the form and at the size that the caller wants.

use crate::OutputFunction;
use crate::attributes::int;
use crate::ops::resized;
use crate::proto::DataType;
use crate::writer::{Value, Writer};
use dapple_graph::Interpolation;

/// The function of the logits, which are resized before where a size is given: `[2]`, height and width.
pub(crate) fn write(
    w: &mut Writer,
    logits: &str,
    channels: usize,
    size: Option<&str>,
    function: Option<OutputFunction>,
) -> Value {
    w.enter(function.map_or("logits", |function| function.name()));
    let logits = match size {
        Some(size) => resized(w, logits, size, Interpolation::Bilinear { align_corners: false }),
        None => logits.to_owned(),
    };
    match function {
        None => logits,
        Some(OutputFunction::Softmax) => w.emit("Softmax", &[&logits], vec![int("axis", 1)]),
        Some(OutputFunction::Sigmoid) => w.emit("Sigmoid", &[&logits], Vec::new()),
        Some(OutputFunction::Labels) => labels(w, &logits, channels),
    }
}

/// The class of the highest logit, the first of equal ones; a single logit is that of class 1 against class 0.
fn labels(w: &mut Writer, logits: &str, channels: usize) -> Value {
    let to_bytes = || vec![int("to", DataType::Uint8 as i64)];
    if channels == 1 {
        let (zero, axis) = (w.floats(&[0.0]), w.ints(&[1]));
        let above = w.emit("Greater", &[logits, &zero], Vec::new());
        let labels = w.emit("Cast", &[&above], to_bytes());
        w.emit("Squeeze", &[&labels, &axis], Vec::new())
    } else {
        let labels = w.emit("ArgMax", &[logits], vec![int("axis", 1), int("keepdims", 0)]);
        w.emit("Cast", &[&labels], to_bytes())
    }
}
