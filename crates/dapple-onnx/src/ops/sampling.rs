//! Resizing, padding and cropping.

use crate::attributes::{int, text};
use crate::proto::AttributeProto;
use crate::size::{side, size_of, with_size};
use crate::structure::{Rounding, half_of};
use crate::writer::{Value, Writer};
use dapple_graph::{Interpolation, NodeId};

/// Sampling at the size of another map.
pub(crate) fn resize(w: &mut Writer, x: NodeId, like: NodeId, interpolation: Interpolation) -> Value {
    let size = size_of(w, like);
    if interpolation == Interpolation::Nearest {
        return match half_of(w.graph, x, like) {
            Some(rounding) => doubled(w, x, &size, rounding),
            None => nearest(w, x, &size),
        };
    }
    let value = w.value(x).to_owned();
    resized(w, &value, &size, interpolation)
}

/// Sampling of an image at a height and width `[2]`.
pub(crate) fn resized(w: &mut Writer, value: &str, size: &str, interpolation: Interpolation) -> Value {
    let sizes = with_size(w, value, size);
    w.emit("Resize", &[value, "", "", &sizes], settings(interpolation))
}

/// Sampling at a whole multiple of the size.
pub(crate) fn upscale(w: &mut Writer, x: &str, factor: usize, interpolation: Interpolation) -> Value {
    let factor = factor as f32;
    let scales = w.floats(&[1.0, 1.0, factor, factor]);
    w.emit("Resize", &[x, "", &scales], settings(interpolation))
}

fn settings(interpolation: Interpolation) -> Vec<AttributeProto> {
    let (mode, coordinates) = match interpolation {
        Interpolation::Nearest => ("nearest", "asymmetric"),
        Interpolation::Bilinear { align_corners: true } => ("linear", "align_corners"),
        Interpolation::Bilinear { align_corners: false } => ("linear", "half_pixel"),
    };
    let mut settings = vec![text("mode", mode), text("coordinate_transformation_mode", coordinates)];
    if interpolation == Interpolation::Nearest {
        settings.push(text("nearest_mode", "floor"));
    }
    settings
}

/// Nearest sampling of a map at twice its size or, of an odd one, a pixel less or more. Without the last pixel all read
/// `floor(i / 2)`; with one more, `floor(i n / (2 n + 1))` is 0 for the first and `floor((i - 1) / 2)` for the others, which are
/// the doubled map behind its first row and column once more.
fn doubled(w: &mut Writer, x: NodeId, size: &str, rounding: Rounding) -> Value {
    let value = w.value(x).to_owned();
    let value = upscale(w, &value, 2, Interpolation::Nearest);
    match rounding {
        Rounding::Up => {
            let [starts, axes] = [[0, 0], [2, 3]].map(|values| w.ints(&values));
            w.emit("Slice", &[&value, &starts, size, &axes], Vec::new())
        }
        Rounding::Down => {
            let doubled = w.emit("Shape", &[&value], vec![int("start", 2), int("end", 4)]);
            let more = w.emit("Sub", &[size, &doubled], Vec::new());
            let none = w.ints(&[0, 0]);
            let pads = w.emit("Concat", &[&none, &more, &none, &none], vec![int("axis", 0)]);
            w.emit("Pad", &[&value, &pads], vec![text("mode", "edge")])
        }
    }
}

/// Rows and columns `floor(i * in / out)` in whole numbers. `Resize` divides by a rounded scale, which for some sizes
/// ends up below the whole number and takes the pixel before.
fn nearest(w: &mut Writer, x: NodeId, size: &str) -> Value {
    let from = size_of(w, x);
    let [zero, one] = [0, 1].map(|value| w.scalar_int(value));
    let mut value = w.value(x).to_owned();
    for axis in 0..2 {
        let [input, output] = [&from, size].map(|size| side(w, size, axis));
        let indices = w.emit("Range", &[&zero, &output, &one], Vec::new());
        let products = w.emit("Mul", &[&indices, &input], Vec::new());
        let sources = w.emit("Div", &[&products, &output], Vec::new());
        value = w.emit("Gather", &[&value, &sources], vec![int("axis", axis + 2)]);
    }
    value
}

/// Centred zero-padding or cropping to the size of another map. ONNX crops where its pads are negative, and divides
/// whole numbers towards zero, which is what "half of the difference before" means for both.
pub(crate) fn fit_to(w: &mut Writer, x: NodeId, like: NodeId) -> Value {
    let (from, to) = (size_of(w, x), size_of(w, like));
    let difference = w.emit("Sub", &[&to, &from], Vec::new());
    let two = w.ints(&[2]);
    let before = w.emit("Div", &[&difference, &two], Vec::new());
    let after = w.emit("Sub", &[&difference, &before], Vec::new());
    let none = w.ints(&[0, 0]);
    let pads = w.emit("Concat", &[&none, &before, &none, &after], vec![int("axis", 0)]);
    let value = w.value(x).to_owned();
    w.emit("Pad", &[&value, &pads], Vec::new())
}
