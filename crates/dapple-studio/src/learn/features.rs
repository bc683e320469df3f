//! Simple features: colour, brightness edges and texture at five scales.
//!
//! At each scale the image is half as large as before, so that one cell's neighbourhood grows with it, as in a bank of
//! Gaussian filters.

use dapple_base::{Normalization, Size};
use dapple_data::{DataError, InputSettings, Raster};

use super::maps::{Level, Maps};

/// The longest side at which images are looked at.
const SIDE: usize = 512;

/// The shortest side, for encoders.
const LEAST: usize = 32;

/// The scales.
const SCALES: usize = 5;

/// The features of a cell: three colours, edge, curvature, roughness.
const CHANNELS: usize = 6;

/// The most that a small image is enlarged: an encoder's maps then have more cells for its parts.
const ENLARGED: f64 = 2.0;

/// The size at which an image is looked at: the largest of its proportions within 512 x 512 pixels, or twice its own.
pub fn working_size(size: Size) -> Size {
    let longest = size.height.max(size.width).max(1) as f64;
    let factor = (SIDE as f64 / longest).min(ENLARGED);
    let side = |side: usize| ((side as f64 * factor).round() as usize).max(LEAST);
    Size { height: side(size.height), width: side(size.width) }
}

/// The simple features of an image.
///
/// # Errors
/// Those of preparing the image.
pub(super) fn simple_features(image: &Raster) -> Result<Maps, DataError> {
    let Size { height, width } = working_size(Size { height: image.height, width: image.width });
    let input = InputSettings { normalization: Normalization::Unit, ..InputSettings::new(height, width) };
    let mut colours = input.prepare(image.clone())?;
    let (mut w, mut h) = (width, height);
    let mut levels = Vec::with_capacity(SCALES);
    for scale in 0..SCALES {
        if scale > 0 {
            (colours, w, h) = halved(&colours, w, h);
        }
        levels.push(level(&colours, w, h));
    }
    Ok(Maps { width, height, levels })
}

/// The mean of each two by two pixels of three channels.
fn halved(colours: &[f32], width: usize, height: usize) -> (Vec<f32>, usize, usize) {
    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
    let mut half = Vec::with_capacity(w * h * 3);
    let at = |x: usize, y: usize| (y.min(height - 1) * width + x.min(width - 1)) * 3;
    for y in 0..h {
        for x in 0..w {
            let corners =
                [at(2 * x, 2 * y), at(2 * x + 1, 2 * y), at(2 * x, 2 * y + 1), at(2 * x + 1, 2 * y + 1)];
            half.extend((0..3).map(|c| corners.iter().map(|corner| colours[corner + c]).sum::<f32>() / 4.0));
        }
    }
    (half, w, h)
}

/// The features at one scale.
fn level(colours: &[f32], width: usize, height: usize) -> Level {
    let light: Vec<f32> =
        colours.chunks_exact(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]).collect();
    let mut data = Vec::with_capacity(width * height * CHANNELS);
    for y in 0..height {
        let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)];
        for x in 0..width {
            let columns = [x.saturating_sub(1), x, (x + 1).min(width - 1)];
            let around = rows.map(|row| columns.map(|column| light[row * width + column]));
            let sum: f32 = around.iter().flatten().sum();
            let squares: f32 = around.iter().flatten().map(|v| v * v).sum();
            let mean = sum / 9.0;
            let (across, down) = (around[1][2] - around[1][0], around[2][1] - around[0][1]);
            data.extend_from_slice(&colours[(y * width + x) * 3..][..3]);
            data.push((across * across + down * down).sqrt());
            data.push(around[1][1] - mean);
            data.push((squares / 9.0 - mean * mean).max(0.0).sqrt());
        }
    }
    Level { width, height, channels: CHANNELS, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_looked_at_within_bounds() {
        let of = |height, width| {
            let size = working_size(Size { height, width });
            (size.height, size.width)
        };
        assert_eq!(of(300, 200), (512, 341));
        assert_eq!(of(60, 50), (120, 100));
        assert_eq!(of(4000, 3000), (512, 384));
        assert_eq!(of(3, 9000), (32, 512));
    }

    #[test]
    fn an_even_image_has_colours_and_no_edges() {
        let maps = simple_features(&Raster::new(40, 33, 3, [255, 0, 51].repeat(40 * 33))).expect("an image");
        assert_eq!((maps.levels.len(), maps.features()), (SCALES, SCALES * CHANNELS));
        let mut vector = Vec::new();
        maps.append((7, 5), &mut vector);
        for features in vector.chunks_exact(CHANNELS) {
            for (found, wanted) in features.iter().zip([1.0, 0.0, 0.2, 0.0, 0.0, 0.0]) {
                assert!((found - wanted).abs() < 1e-3, "{features:?}");
            }
        }
    }
}
