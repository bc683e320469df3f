//! From images as decoders give them to the network's input.

use crate::attributes::{int, ints, text};
use crate::proto::DataType;
use crate::size::with_size;
use crate::writer::{Value, Writer};
use dapple_base::Normalization;

/// First operator set whose `Resize` averages where it makes smaller.
pub(crate) const OPSET: i64 = 18;

/// The steps from images to the network's input: resizing as in training, to whole 8-bit values, then
/// normalization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preprocessing {
    /// Height and width that images are resized to.
    pub size: [usize; 2],
    /// The way in which values are normalized.
    pub normalization: Normalization,
}

/// The normalized maps `[batch, channels, height, width]` of images `[batch, height, width, channels]` of 8-bit values.
pub(crate) fn write(w: &mut Writer, images: &str, settings: &Preprocessing) -> Value {
    w.enter("preprocessing");
    let channels = w.graph.shape(w.graph.input()).c;
    let maps = w.emit("Transpose", &[images], vec![ints("perm", [0, 3, 1, 2])]);
    let size = w.ints(&settings.size.map(|side| side as i64));
    let sizes = with_size(w, &maps, &size);
    let resize = vec![
        text("mode", "linear"),
        text("coordinate_transformation_mode", "half_pixel"),
        int("antialias", 1),
        // At the edges the weights of pixels within the image are scaled up, as Pillow does.
        int("exclude_outside", 1),
    ];
    let bytes = w.emit("Resize", &[&maps, "", "", &sizes], resize);
    let values = w.emit("Cast", &[&bytes], vec![int("to", DataType::Float as i64)]);

    let [mean, std] = settings.normalization.moments(channels);
    let offset: Vec<f32> = mean.iter().zip(&std).map(|(mean, std)| -mean / std).collect();
    let scale = match settings.normalization {
        Normalization::ImageNet | Normalization::Unit | Normalization::Lite => {
            w.column(&std.iter().map(|std| 1.0 / (255.0 * std)).collect::<Vec<_>>())
        }
        Normalization::U2Net => {
            let (axes, one, std) = (w.ints(&[1, 2, 3]), w.floats(&[1.0]), w.column(&std));
            let largest = w.emit("ReduceMax", &[&values, &axes], vec![int("keepdims", 1)]);
            let largest = w.emit("Max", &[&largest, &one], Vec::new());
            let divisor = w.emit("Mul", &[&largest, &std], Vec::new());
            w.emit("Div", &[&one, &divisor], Vec::new())
        }
    };
    let offset = w.column(&offset);
    let scaled = w.emit("Mul", &[&values, &scale], Vec::new());
    w.emit("Add", &[&scaled, &offset], Vec::new())
}
