//! Turning images and masks upright, as EXIF data ask for it.

use image::metadata::Orientation;

/// The orientation of an image that needs no turning.
pub(crate) const UPRIGHT: Orientation = Orientation::NoTransforms;

/// Turns `[height, width, samples]` values upright; gives the new width and height.
pub(crate) fn orient<T: Copy>(
    width: usize,
    height: usize,
    samples: usize,
    values: Vec<T>,
    orientation: Orientation,
) -> (usize, usize, Vec<T>) {
    if orientation == Orientation::NoTransforms {
        return (width, height, values);
    }
    let (w, h) = if turns_a_quarter(orientation) { (height, width) } else { (width, height) };
    let mut turned = Vec::with_capacity(values.len());
    for y in 0..h {
        for x in 0..w {
            let (sx, sy) = match orientation {
                Orientation::NoTransforms => (x, y),
                Orientation::Rotate90 => (y, height - 1 - x),
                Orientation::Rotate180 => (width - 1 - x, height - 1 - y),
                Orientation::Rotate270 => (width - 1 - y, x),
                Orientation::FlipHorizontal => (width - 1 - x, y),
                Orientation::FlipVertical => (x, height - 1 - y),
                Orientation::Rotate90FlipH => (y, x),
                Orientation::Rotate270FlipH => (width - 1 - y, height - 1 - x),
            };
            turned.extend_from_slice(&values[(sy * width + sx) * samples..][..samples]);
        }
    }
    (w, h, turned)
}

pub(crate) fn turns_a_quarter(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}
