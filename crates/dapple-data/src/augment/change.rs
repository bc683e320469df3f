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
    /// Where the window is to be placed instead, if around a pixel of a class.
    pub placed: Option<Placed>,
    pub flip_horizontal: bool,
    pub flip_vertical: bool,
    pub geometry: Geometry,
    pub colour: Colour,
    pub damage: Damage,
}

/// A window that is placed around a pixel of a class, with the seed of the choice of class and pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Placed {
    /// Of any class in the image.
    Balanced(u64),
    /// Of a rare one.
    Rare(u64),
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
        let seed = random.word();
        let geometry = Geometry::draw(self, &mut random);
        let colour = Colour::draw(self, factors, &mut random);
        let damage = Damage::draw(self, &mut random);
        // The latest draw comes last, so that trainings of before have the same changes.
        let placed = match random.chance(self.rare) {
            true => Some(Placed::Rare(seed)),
            false => balanced.then_some(Placed::Balanced(seed)),
        };
        Change { window, placed, flip_horizontal, flip_vertical, geometry, colour, damage }
    }
}

impl Change {
    /// The window, moved around a pixel of a class in `labels` if that is wanted. `rarity` has the weight of each label in
    /// the choice of a rare class.
    pub fn placed_window(&self, labels: &LabelMap, ignore: Option<u8>, rarity: &[f64]) -> Window {
        let Some(placed) = self.placed.filter(|_| self.window != Window::FULL) else { return self.window };
        let (Placed::Balanced(seed) | Placed::Rare(seed)) = placed;
        let mut random = Random::new(seed, Purpose::Details, 0, 0);
        let weight = |label: u8| match placed {
            _ if ignore == Some(label) => 0.0,
            Placed::Balanced(_) => 1.0,
            Placed::Rare(_) => rarity.get(usize::from(label)).copied().unwrap_or(0.0),
        };
        let mut counts = labels.counts();
        counts.retain(|&(label, _)| weight(label) > 0.0);
        if counts.is_empty() {
            return self.window;
        }
        let (label, n) = match placed {
            Placed::Balanced(_) => counts[random.below(counts.len())],
            Placed::Rare(_) => {
                let mut left = random.unit() * counts.iter().map(|&(label, _)| weight(label)).sum::<f64>();
                let reaches = |&&(label, _): &&(u8, u64)| {
                    left -= weight(label);
                    left < 0.0
                };
                *counts.iter().find(reaches).unwrap_or(&counts[0])
            }
        };
        let number = random.below(n as usize);
        let with_label = labels.labels.iter().enumerate().filter(|&(_, &found)| found == label);
        let at = with_label.map(|(at, _)| at).nth(number).unwrap_or(0);
        let centre = |at: usize, side: usize| (at as f64 + 0.5) / side as f64;
        let (x, y) = (centre(at % labels.width, labels.width), centre(at / labels.width, labels.height));
        let Window { width, height, .. } = self.window;
        // Between pixels, a crop would blur the image.
        let on_grid = |from: f64, side: usize| (from * side as f64).round() / side as f64;
        Window {
            left: on_grid(x - width / 2.0, labels.width).clamp(0.0, 1.0 - width),
            top: on_grid(y - height / 2.0, labels.height).clamp(0.0, 1.0 - height),
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
