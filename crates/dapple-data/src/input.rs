//! From a decoded image to what a network takes: the same resizing and normalisation for training and predicting.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image_file::{MAX_CHANNELS, Raster};
use crate::labels::LabelMap;

/// Mean of the ImageNet training images, red, green, blue, of values in 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of the ImageNet training images, red, green, blue, of values in 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// How 8-bit values become the numbers a network takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// `(value / 255 - mean) / std` with [`IMAGENET_MEAN`] and [`IMAGENET_STD`]; what pretrained encoders expect.
    /// Grey images take the mean of the three means and of the three deviations.
    #[default]
    ImageNet,
    /// `value / 255`, in 0..=1.
    Unit,
    /// U²-Net's recipe: divided by the largest value of the image, then as `ImageNet`; an all-black image stays 0 before
    /// the mean is taken off. Grey images take the first mean and deviation, as its published loader does.
    U2Net,
}

impl Normalise {
    /// Mean and standard deviation of each channel, of values in 0..=1. The channels of pictures that are no photographs
    /// are treated as grey.
    pub fn moments(self, channels: usize) -> [Vec<f32>; 2] {
        let average = |values: [f32; 3]| values.iter().sum::<f32>() / 3.0;
        let (mean, std) = match (self, channels) {
            (Self::Unit, _) => ([0.0; 3], [1.0; 3]),
            (Self::ImageNet | Self::U2Net, 3) | (Self::U2Net, 1) => (IMAGENET_MEAN, IMAGENET_STD),
            (Self::ImageNet | Self::U2Net, _) => ([average(IMAGENET_MEAN); 3], [average(IMAGENET_STD); 3]),
        };
        [mean, std].map(|values| (0..channels).map(|c| values[c % 3]).collect())
    }

    /// `(scale, offset)` of each channel, such that the input is `value * scale + offset`. The channels of pictures that are
    /// no photographs are treated as grey. `largest` stands for the largest value of the raster where that is a part of an
    /// image.
    fn affine(self, raster: &Raster, largest: Option<u8>) -> Vec<(f32, f32)> {
        let largest = match self {
            Self::ImageNet | Self::Unit => 255.0,
            Self::U2Net => {
                let largest = largest.or_else(|| raster.data.iter().copied().max());
                f32::from(largest.unwrap_or(0).max(1))
            }
        };
        let [mean, std] = self.moments(raster.channels);
        mean.iter().zip(std).map(|(mean, std)| (1.0 / (largest * std), -mean / std)).collect()
    }
}

/// The input of a network: size, channels and normalisation. It travels with a model, so that prediction repeats what
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
    /// How values are normalised.
    #[serde(default)]
    pub normalise: Normalise,
}

fn three() -> usize {
    3
}

/// The largest side of a network's input, in pixels.
const MAX_SIDE: usize = 1 << 14;

impl InputSettings {
    /// Colour input of the given size with ImageNet normalisation.
    pub fn new(height: usize, width: usize) -> Self {
        Self { height, width, channels: 3, normalise: Normalise::ImageNet }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Setting`].
    pub fn validate(&self) -> Result<()> {
        for (name, side) in [("height", self.height), ("width", self.width)] {
            if !(1..=MAX_SIDE).contains(&side) {
                return Err(DataError::setting(name, side, "1 to 16384 pixels"));
            }
        }
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(DataError::setting("channels", self.channels, "1 (grey), 3 (colour), or up to 64"));
        }
        Ok(())
    }

    /// The network's input for one image: resized to `[height, width, channels]` and normalised, `f32`.
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
        Self { height, width, ..*self }.validate()?;
        let image = self.with_channels(image)?;
        let image = resize_image(&image, Window::FULL, height, width);
        let mut input = vec![0.0; image.data.len()];
        normalise_into(&image, self.normalise, None, &mut input);
        Ok(input)
    }

    /// The network's input for a part of an image at its own size, `[height, width, channels]`; `largest` is the largest
    /// value of the whole image, which [`Normalise::U2Net`] divides by.
    ///
    /// # Errors
    /// [`DataError::Setting`] if the part has too few channels.
    pub fn normalise_part(&self, part: Raster, largest: u8) -> Result<Vec<f32>> {
        let part = self.with_channels(part)?;
        let mut input = vec![0.0; part.data.len()];
        normalise_into(&part, self.normalise, Some(largest), &mut input);
        Ok(input)
    }

    fn with_channels(&self, image: Raster) -> Result<Raster> {
        if image.channels < self.channels && (image.channels, self.channels) != (1, 3) {
            return Err(DataError::setting("image channels", image.channels, "as many as the network takes"));
        }
        Ok(image.with_channels(self.channels))
    }
}

/// A rectangle of an image in shares of its width and height: the part that is shown to the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Window {
    /// The whole image.
    pub const FULL: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
}

/// Resizes a window of an image to `height` x `width`, bilinear; where it shrinks, the filter grows with the factor
/// (antialiasing), as in Pillow and in torchvision with `antialias=True`.
///
/// # Panics
/// If `height` or `width` is 0 or `window` leaves the image.
pub(crate) fn resize_image(image: &Raster, window: Window, height: usize, width: usize) -> Raster {
    if window == Window::FULL && (image.height, image.width) == (height, width) {
        return image.clone();
    }
    let pixel = match image.channels {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        _ => return resize_planes(image, window, height, width),
    };
    let source = ImageRef::new(image.width as u32, image.height as u32, &image.data, pixel)
        .expect("a raster's data has the length its size says");
    let mut target = Image::new(width as u32, height as u32, pixel);
    let (w, h) = (image.width as f64, image.height as f64);
    // A window at the edge may pass it by a rounding error, which the resizer refuses.
    let (left, top) = (window.left * w, window.top * h);
    let (across, down) = ((window.width * w).min(w - left), (window.height * h).min(h - top));
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left, top, across, down)
        .use_alpha(false);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("the window lies in the image and types agree");
    Raster { width, height, channels: image.channels, data: target.into_vec() }
}

/// [`resize_image`] for any number of channels, one after the other.
fn resize_planes(image: &Raster, window: Window, height: usize, width: usize) -> Raster {
    let mut data = vec![0; height * width * image.channels];
    for channel in 0..image.channels {
        let plane = image.data.iter().skip(channel).step_by(image.channels).copied().collect();
        let plane = Raster { channels: 1, data: plane, ..*image };
        let resized = resize_image(&plane, window, height, width);
        for (to, from) in data.iter_mut().skip(channel).step_by(image.channels).zip(resized.data) {
            *to = from;
        }
    }
    Raster { width, height, channels: image.channels, data }
}

/// Resizes a window of a label map to `height` x `width`: every output pixel takes the label of the source pixel in
/// which its centre falls.
pub(crate) fn resize_labels(map: &LabelMap, window: Window, height: usize, width: usize) -> LabelMap {
    let sources = |out: usize, size: usize, from: f64, share: f64| -> Vec<usize> {
        let at = |i| ((from + share * (i as f64 + 0.5) / out as f64) * size as f64) as usize;
        (0..out).map(|i| at(i).min(size - 1)).collect()
    };
    let columns = sources(width, map.width, window.left, window.width);
    let mut labels = Vec::with_capacity(height * width);
    for y in sources(height, map.height, window.top, window.height) {
        let row = &map.labels[y * map.width..][..map.width];
        labels.extend(columns.iter().map(|&x| row[x]));
    }
    LabelMap { width, height, labels }
}

/// Writes the normalised values of `image` to `out`, `[height, width, channels]`; `largest` where the image is a part of
/// another one with that largest value.
///
/// # Panics
/// If `out` has another length than the image's data.
pub(crate) fn normalise_into(image: &Raster, normalise: Normalise, largest: Option<u8>, out: &mut [f32]) {
    assert_eq!(image.data.len(), out.len(), "normalised image of another size");
    let affine = normalise.affine(image, largest);
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
