//! Random changes of training samples: flips, crops, zoom and colour.
//!
//! A sample's changes are drawn first ([`Augment::draw`]), from a stream keyed by (seed, epoch, sample), and applied
//! then. All geometry is one window of the source and two flips, so that image and mask are sampled once, alike, and
//! no pixel outside the image is ever needed.

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image_file::{Raster, luma};
use crate::input::{InputSettings, Window};
use crate::labels::LabelMap;
use crate::random::{Purpose, Random};

/// Which random changes training samples get. The default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Probability of exchanging left and right, 0 to 1.
    pub flip_horizontal: f64,
    /// Probability of exchanging top and bottom, 0 to 1.
    pub flip_vertical: f64,
    /// Largest zoom: the sides of the window shown are drawn from `1 - zoom` to 1 of the image's (or of the crop's), its
    /// place at random. 0 to 0.9.
    pub zoom: f64,
    /// Random crop `[height, width]` of the resized image, as U²-Net's 288 x 288 of 320 x 320; the samples have this size
    /// then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<[usize; 2]>,
    /// Brightness is multiplied by a factor from `1 - brightness` to `1 + brightness`. 0 to 0.9.
    pub brightness: f64,
    /// Differences from the image's mean grey are multiplied by a factor from `1 - contrast` to `1 + contrast`. 0 to 0.9.
    pub contrast: f64,
    /// Differences from each pixel's grey are multiplied by a factor from `1 - saturation` to `1 + saturation`; without
    /// effect on grey images. 0 to 0.9.
    pub saturation: f64,
}

/// What one sample gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub window: Window,
    pub flip_horizontal: bool,
    pub flip_vertical: bool,
    /// Factors of brightness, contrast and saturation.
    pub colour: [f64; 3],
}

impl Augment {
    /// No change.
    pub fn none() -> Self {
        Self::default()
    }

    /// Small changes that suit nearly all photographs: left-right flips, zoom up to 1.25, mild colour changes.
    pub fn light() -> Self {
        Self {
            flip_horizontal: 0.5,
            zoom: 0.2,
            brightness: 0.2,
            contrast: 0.2,
            saturation: 0.2,
            ..Self::default()
        }
    }

    /// Height and width of augmented samples.
    pub fn output_size(&self, input: &InputSettings) -> (usize, usize) {
        self.crop.map_or((input.height, input.width), |[height, width]| (height, width))
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Setting`].
    pub fn validate(&self, input: &InputSettings) -> Result<()> {
        for (name, probability) in
            [("augment.flip_horizontal", self.flip_horizontal), ("augment.flip_vertical", self.flip_vertical)]
        {
            if !(0.0..=1.0).contains(&probability) {
                return Err(DataError::setting(name, probability, "a probability, 0 to 1"));
            }
        }
        for (name, amount) in [
            ("augment.zoom", self.zoom),
            ("augment.brightness", self.brightness),
            ("augment.contrast", self.contrast),
            ("augment.saturation", self.saturation),
        ] {
            if !(0.0..=0.9).contains(&amount) {
                return Err(DataError::setting(name, amount, "0 to 0.9"));
            }
        }
        if let Some([height, width]) = self.crop
            && !((1..=input.height).contains(&height) && (1..=input.width).contains(&width))
        {
            let value = format!("{height} x {width}");
            return Err(DataError::setting(
                "augment.crop",
                value,
                "at least 1 x 1 and at most the input's size",
            ));
        }
        Ok(())
    }

    /// Whether every sample shows its whole image, so that the resized image can be kept.
    pub(crate) fn keeps_window(&self) -> bool {
        self.zoom == 0.0 && self.crop.is_none()
    }

    /// Draws the changes of one sample in one epoch.
    pub(crate) fn draw(&self, input: &InputSettings, seed: u64, epoch: u64, sample: u64) -> Change {
        let mut random = Random::new(seed, Purpose::Augment, epoch, sample);
        // Every draw is made whatever the settings, so that changing one leaves the others' draws alone.
        let flip_horizontal = random.chance(self.flip_horizontal);
        let flip_vertical = random.chance(self.flip_vertical);
        let colour = [self.brightness, self.contrast, self.saturation]
            .map(|amount| random.range(1.0 - amount, 1.0 + amount));
        let [crop_height, crop_width] = self.crop.unwrap_or([input.height, input.width]);
        let top = random.below(input.height - crop_height + 1) as f64 / input.height as f64;
        let left = random.below(input.width - crop_width + 1) as f64 / input.width as f64;
        let (height, width) =
            (crop_height as f64 / input.height as f64, crop_width as f64 / input.width as f64);
        let share = random.range(1.0 - self.zoom, 1.0);
        let (place_y, place_x) = (random.unit(), random.unit());
        let share = if self.zoom == 0.0 { 1.0 } else { share };
        let window = Window {
            left: left + place_x * width * (1.0 - share),
            top: top + place_y * height * (1.0 - share),
            width: width * share,
            height: height * share,
        };
        Change { window, flip_horizontal, flip_vertical, colour }
    }
}

impl Change {
    /// Flips and recolours a sample whose window is cut out already.
    pub fn apply(&self, image: &mut Raster, labels: &mut LabelMap) {
        let (row, pixel) = (image.width * image.channels, image.channels);
        flip(&mut image.data, row, pixel, self.flip_horizontal, self.flip_vertical);
        flip(&mut labels.labels, labels.width, 1, self.flip_horizontal, self.flip_vertical);
        recolour(image, self.colour);
    }
}

/// Exchanges left and right and/or top and bottom of rows of `row` bytes made of pixels of `pixel` bytes.
fn flip(data: &mut [u8], row: usize, pixel: usize, horizontal: bool, vertical: bool) {
    if vertical {
        let rows = data.len() / row;
        for top in 0..rows / 2 {
            let (upper, lower) = data.split_at_mut((rows - 1 - top) * row);
            upper[top * row..][..row].swap_with_slice(&mut lower[..row]);
        }
    }
    if horizontal {
        for row in data.chunks_exact_mut(row) {
            // Reversing the bytes reverses the pixels and the bytes in each; the latter is undone.
            row.reverse();
            row.chunks_exact_mut(pixel).for_each(<[u8]>::reverse);
        }
    }
}

/// Changes saturation, contrast about the mean grey, and brightness, in this order, rounding once.
fn recolour(image: &mut Raster, [brightness, contrast, saturation]: [f64; 3]) {
    if [brightness, contrast, saturation] == [1.0; 3] {
        return;
    }
    let (brightness, contrast, saturation) = (brightness as f32, contrast as f32, saturation as f32);
    let grey_sum: u64 = match image.channels {
        3 => image.data.as_chunks::<3>().0.iter().map(|&p| u64::from(luma(p))).sum(),
        channels => image.data.iter().map(|&v| u64::from(v)).sum::<u64>() / channels as u64,
    };
    let mean = grey_sum as f32 / (image.width * image.height) as f32;
    for pixel in image.data.chunks_exact_mut(image.channels) {
        let grey = f32::from(if let &mut [r, g, b] = pixel { luma([r, g, b]) } else { pixel[0] });
        for value in pixel {
            let saturated = grey + (f32::from(*value) - grey) * saturation;
            let changed = (mean + (saturated - mean) * contrast) * brightness;
            *value = changed.round().clamp(0.0, 255.0) as u8;
        }
    }
}
