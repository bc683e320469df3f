//! The changes of one sample: drawn from a stream, then applied.

use crate::augment::appearance::Damage;
use crate::augment::colour::Colour;
use crate::augment::geometry::Geometry;
use crate::augment::settings::Augment;
use crate::image::input::InputSettings;
use crate::image::raster::Raster;
use crate::image::resize::Window;
use crate::mask::label_map::LabelMap;
use crate::random::{Purpose, Random};

/// The changes of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub window: Window,
    /// Where the window is to be placed instead, if around a pixel of a class; the seed of that choice.
    pub balanced: Option<u64>,
    pub flip_horizontal: bool,
    pub flip_vertical: bool,
    pub geometry: Geometry,
    pub colour: Colour,
    pub damage: Damage,
}

impl Augment {
    /// Draws the changes of one sample in one epoch.
    pub(crate) fn draw(&self, input: &InputSettings, seed: u64, epoch: u64, sample: u64) -> Change {
        self.draw_from(Random::new(seed, Purpose::Augment, epoch, sample), input)
    }

    /// Draws changes from a stream.
    pub(crate) fn draw_from(&self, mut random: Random, input: &InputSettings) -> Change {
        // Every draw is made whatever the settings, so that changing one leaves the others' draws alone.
        let flip_horizontal = random.chance(self.flip_horizontal);
        let flip_vertical = random.chance(self.flip_vertical);
        let factors = [self.brightness, self.contrast, self.saturation]
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
        let balanced = random.chance(self.balanced);
        let balanced_seed = random.word();
        Change {
            window,
            balanced: balanced.then_some(balanced_seed),
            flip_horizontal,
            flip_vertical,
            geometry: Geometry::draw(self, &mut random),
            colour: Colour::draw(self, factors, &mut random),
            damage: Damage::draw(self, &mut random),
        }
    }
}

impl Change {
    /// The window, moved around a pixel of a class that is drawn evenly from those in `labels` if that is wanted.
    pub fn placed_window(&self, labels: &LabelMap, ignore: Option<u8>) -> Window {
        let Some(seed) = self.balanced.filter(|_| self.window != Window::FULL) else { return self.window };
        let mut random = Random::new(seed, Purpose::Details, 0, 0);
        let mut counts = labels.counts();
        counts.retain(|&(label, _)| ignore != Some(label));
        if counts.is_empty() {
            return self.window;
        }
        let (label, n) = counts[random.below(counts.len())];
        let number = random.below(n as usize);
        let with_label = labels.labels.iter().enumerate().filter(|&(_, &found)| found == label);
        let at = with_label.map(|(at, _)| at).nth(number).unwrap_or(0);
        let centre = |at: usize, side: usize| (at as f64 + 0.5) / side as f64;
        let (x, y) = (centre(at % labels.width, labels.width), centre(at / labels.width, labels.height));
        let Window { width, height, .. } = self.window;
        Window {
            left: (x - width / 2.0).clamp(0.0, 1.0 - width),
            top: (y - height / 2.0).clamp(0.0, 1.0 - height),
            width,
            height,
        }
    }

    /// Flips a sample whose window is cut out already.
    pub fn flip(&self, image: &mut Raster, labels: &mut LabelMap) {
        let (row, pixel) = (image.width * image.channels, image.channels);
        flip(&mut image.data, row, pixel, self.flip_horizontal, self.flip_vertical);
        flip(&mut labels.labels, labels.width, 1, self.flip_horizontal, self.flip_vertical);
    }

    /// Changes colours and adds damage, in this order.
    pub fn repaint(&self, image: &mut Raster) {
        self.colour.apply(image);
        self.damage.apply(image);
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
