//! A sheet of small pictures with text between them.

use std::collections::BTreeSet;

use image::{RgbImage, imageops};

use crate::flow::{Slot, flow, rows};
use crate::palette::{HATCH, hatch};
use crate::scene::{Anchor, Scene, Shape, Text};
use crate::text::{self, Weight};
use crate::{Colour, Palette, ReportError, raster};

pub(crate) const INK: Colour = [38, 38, 38];
pub(crate) const FAINT_INK: Colour = [100, 100, 100];
/// The frame that keeps pictures apart from the paper and from each other.
const FRAME: Colour = [190, 190, 190];
pub(crate) const MARGIN: u32 = 20;
const LEGEND_SIZE: f32 = 14.0;
const LEGEND_ROW: u32 = 24;
const SWATCH: u32 = 14;

/// How a line of text looks.
#[derive(Clone, Copy)]
pub(crate) struct Type {
    pub size: f32,
    pub weight: Weight,
    pub colour: Colour,
}

/// Pictures pasted at once, text kept for a layer over them.
pub(crate) struct Sheet {
    image: RgbImage,
    layer: Scene,
}

impl Sheet {
    pub fn new(width: u64, height: u64) -> Result<Self, ReportError> {
        let image = raster::canvas(width, height)?;
        Ok(Self { image, layer: Scene::new(width as f32, height as f32) })
    }

    /// Pastes a picture with a thin frame around it.
    pub fn paste(&mut self, picture: &RgbImage, x: u32, y: u32) {
        let (width, height) = picture.dimensions();
        let frame = RgbImage::from_pixel(width + 2, height + 2, image::Rgb(FRAME));
        imageops::replace(&mut self.image, &frame, i64::from(x) - 1, i64::from(y) - 1);
        imageops::replace(&mut self.image, picture, x.into(), y.into());
    }

    /// Writes a line of text with its baseline at `y`.
    pub fn write(&mut self, text: &str, (x, y): (f32, f32), anchor: Anchor, style: Type) {
        let Type { size, weight, colour } = style;
        self.layer.push(Shape::Text(Text { x, y, anchor, size, weight, colour, text: text.into() }));
    }

    /// A small square in the colour of a class, hatched for `None`.
    pub fn swatch(&mut self, colour: Option<Colour>, x: u32, y: u32) {
        let square = RgbImage::from_fn(SWATCH, SWATCH, |x, y| {
            image::Rgb(colour.unwrap_or_else(|| hatch(HATCH, x, y)))
        });
        self.paste(&square, x, y);
    }

    /// The finished picture.
    pub fn finish(mut self) -> RgbImage {
        raster::paint_onto(&self.layer, 1.0, &mut self.image);
        self.image
    }
}

/// The width a swatch and the gap behind it take.
pub(crate) const SWATCH_SPACE: u32 = SWATCH + 8;

/// The colours of the classes with their names, broken into rows.
pub(crate) struct Legend {
    entries: Vec<(Option<Colour>, String)>,
    slots: Vec<Slot>,
}

impl Legend {
    /// The legend of the labels given that are classes; then, if it is among them, of the ignore index.
    pub fn new(classes: &Palette, labels: &BTreeSet<u8>, width: u32) -> Self {
        let limit = width as f32;
        let name_limit = limit - SWATCH_SPACE as f32;
        let shorten = |name: &str| text::fit(name, LEGEND_SIZE, Weight::Regular, name_limit).into_owned();
        let entry = |class: usize| (Some(classes.colours()[class]), shorten(&classes.names()[class]));
        let occurs = |label: usize| labels.iter().any(|&other| usize::from(other) == label);
        let mut entries: Vec<_> =
            classes.counted().into_iter().filter(|&class| occurs(class)).map(entry).collect();
        if classes.ignore_index().is_some_and(|label| labels.contains(&label)) {
            entries.push((None, shorten("ignored")));
        }
        let space = SWATCH_SPACE as f32;
        let widths = entries.iter().map(|(_, name)| space + text::width(name, LEGEND_SIZE, Weight::Regular));
        let slots = flow(widths, 22.0, limit);
        Self { entries, slots }
    }

    /// The height in pixels.
    pub fn height(&self) -> u32 {
        rows(&self.slots) as u32 * LEGEND_ROW
    }

    /// Draws the legend with its upper left corner at the place given.
    pub fn draw(&self, sheet: &mut Sheet, left: u32, top: u32) {
        let style = Type { size: LEGEND_SIZE, weight: Weight::Regular, colour: INK };
        for ((colour, name), slot) in self.entries.iter().zip(&self.slots) {
            let x = left + slot.x.round() as u32;
            let y = top + slot.row as u32 * LEGEND_ROW;
            sheet.swatch(*colour, x, y + 4);
            sheet.write(name, ((x + SWATCH_SPACE) as f32, (y + 16) as f32), Anchor::Start, style);
        }
    }
}
