//! From a decoded image to what a network takes: the same resizing and normalization for training and predicting.

use dapple_base::{Normalization, Size};
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image::raster::{Channels, MAX_CHANNELS, Raster};
use crate::image::resize::{Window, resize_image};

/// The input of a network: size, channels and normalization. It travels with a model, so that prediction repeats what
/// training did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSettings {
    /// Height images are resized to, in pixels; the aspect ratio is ignored.
    pub height: usize,
    /// Width images are resized to, in pixels.
    pub width: usize,
    /// 3 for colour, 1 for grey, or another number of pictures that have as many.
    #[serde(default = "three")]
    pub channels: usize,
    /// How values are normalized; `normalise` in files.
    #[serde(default, rename = "normalise", alias = "normalization")]
    pub normalization: Normalization,
}

fn three() -> usize {
    3
}

/// The largest side of a network's input, in pixels.
const MAX_SIDE: usize = 1 << 14;

impl InputSettings {
    /// Colour input of the given size with ImageNet normalization.
    pub fn new(height: usize, width: usize) -> Self {
        Self { height, width, channels: 3, normalization: Normalization::ImageNet }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Setting`].
    pub fn validate(&self) -> Result<()> {
        if self.height.saturating_mul(self.width) as u64 > Size::MOST_INPUT_PIXELS {
            let size = format!("{} x {}", self.height, self.width);
            return Err(DataError::setting("size", size, "at most 4096 x 4096 pixels in all"));
        }
        self.check_sides()?;
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(DataError::setting("channels", self.channels, "1 (grey), 3 (colour), or up to 64"));
        }
        Ok(())
    }

    fn check_sides(&self) -> Result<()> {
        for (name, side) in [("height", self.height), ("width", self.width)] {
            if !(1..=MAX_SIDE).contains(&side) {
                return Err(DataError::setting(name, side, "1 to 16384 pixels"));
            }
        }
        Ok(())
    }

    /// The network's input for one image: resized to `[height, width, channels]` and normalized, `f32`.
    ///
    /// # Errors
    /// [`DataError::Setting`] if the settings are out of range or the image has too few channels.
    pub fn prepare(&self, image: Raster) -> Result<Vec<f32>> {
        self.prepare_at(image, self.height, self.width)
    }

    /// As [`InputSettings::prepare`], at another size than the settings'.
    ///
    /// # Errors
    /// Those of [`InputSettings::prepare`].
    pub fn prepare_at(&self, image: Raster, height: usize, width: usize) -> Result<Vec<f32>> {
        Self { height, width, ..*self }.check_sides()?;
        let image = self.with_channels(image)?;
        let image = resize_image(&image, Window::FULL, height, width);
        let mut input = vec![0.0; image.data.len()];
        normalize_into(&image, self.normalization, None, &mut input);
        Ok(input)
    }

    /// The network's input for a part of an image, resized to `[height, width, channels]`; `largest` is the largest value
    /// of the whole image, which [`Normalization::U2Net`] divides by.
    ///
    /// # Errors
    /// [`DataError::Setting`] if the part has too few channels.
    pub fn prepare_part(&self, part: Raster, height: usize, width: usize, largest: u8) -> Result<Vec<f32>> {
        let part = self.with_channels(part)?;
        let part = match (part.height, part.width) == (height, width) {
            true => part,
            false => resize_image(&part, Window::FULL, height, width),
        };
        let mut input = vec![0.0; part.data.len()];
        normalize_into(&part, self.normalization, Some(largest), &mut input);
        Ok(input)
    }

    fn with_channels(&self, image: Raster) -> Result<Raster> {
        let channels = Channels::from(self.channels);
        if !image.converts_to(channels) {
            return Err(DataError::setting("image channels", image.channels, "as many as the network takes"));
        }
        Ok(image.with_channels(channels))
    }
}

/// `(scale, offset)` of each channel, such that the input is `value * scale + offset`. `largest` stands for the largest
/// value of the raster where that is a part of an image.
fn affine(normalization: Normalization, raster: &Raster, largest: Option<u8>) -> Vec<(f32, f32)> {
    let largest = match normalization {
        Normalization::ImageNet | Normalization::Unit | Normalization::Lite => 255.0,
        Normalization::U2Net => {
            let largest = largest.or_else(|| raster.data.iter().copied().max());
            f32::from(largest.unwrap_or(0).max(1))
        }
    };
    let [mean, std] = normalization.moments(raster.channels);
    mean.iter().zip(std).map(|(mean, std)| (1.0 / (largest * std), -mean / std)).collect()
}

/// Writes the normalized values of `image` to `out`, `[height, width, channels]`; `largest` where the image is a part of
/// another one with that largest value.
///
/// # Panics
/// If `out` has another length than the image's data.
pub(crate) fn normalize_into(
    image: &Raster,
    normalization: Normalization,
    largest: Option<u8>,
    out: &mut [f32],
) {
    assert_eq!(image.data.len(), out.len(), "normalized image of another size");
    let affine = affine(normalization, image, largest);
    // One table a channel is faster than the arithmetic, and gives the same value for the same byte everywhere.
    let table =
        |(scale, offset): (f32, f32)| -> [f32; 256] { std::array::from_fn(|v| v as f32 * scale + offset) };
    let tables: Vec<[f32; 256]> = affine.into_iter().map(table).collect();
    for (to, from) in out.chunks_exact_mut(image.channels).zip(image.data.chunks_exact(image.channels)) {
        for ((to, &from), table) in to.iter_mut().zip(from).zip(&tables) {
            *to = table[usize::from(from)];
        }
    }
}
