//! A sample's pictures brought to the size in which a sheet shows them.

use image::imageops::{self, FilterType};
use image::{GrayImage, RgbImage};

use crate::palette::{HATCH, MASK_HATCH, hatch};
use crate::{Colour, OverlayStyle, Palette, ReportError, colour_map, overlay};

/// The size on the sheet of pictures that have one size of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub width: u32,
    pub height: u32,
}

impl View {
    /// The largest size of the same proportions within a square of `side` pixels, at least one pixel each way.
    pub fn within(side: u32, (width, height): (u32, u32)) -> Self {
        let longest = u64::from(width.max(height).max(1));
        let shown =
            |length: u32| ((u64::from(length) * u64::from(side) + longest / 2) / longest).max(1) as u32;
        Self { width: shown(width), height: shown(height) }
    }

    /// A photograph, resampled smoothly.
    pub fn photograph(self, image: &RgbImage) -> RgbImage {
        let filter =
            if self.enlarges(image.dimensions()) { FilterType::CatmullRom } else { FilterType::Triangle };
        imageops::resize(image, self.width, self.height, filter)
    }

    /// A grey image such as a mask or a probability map, as RGB.
    pub fn grey(self, image: &GrayImage) -> RgbImage {
        let shown = imageops::resize(image, self.width, self.height, self.flat_filter(image.dimensions()));
        RgbImage::from_fn(self.width, self.height, |x, y| image::Rgb([shown.get_pixel(x, y).0[0]; 3]))
    }

    /// The labels at each pixel shown; labels are never mixed.
    pub fn labels(self, labels: &GrayImage) -> GrayImage {
        imageops::resize(labels, self.width, self.height, FilterType::Nearest)
    }

    /// A label map in its colours, hatched at the size shown so that the hatching looks the same everywhere.
    pub fn colours(self, labels: &GrayImage, classes: &Palette) -> Result<RgbImage, ReportError> {
        let colours = colour_map(labels, classes)?;
        let mut shown =
            imageops::resize(&colours, self.width, self.height, self.flat_filter(labels.dimensions()));
        self.hatch_ignored(&mut shown, labels, classes, HATCH);
        Ok(shown)
    }

    /// The labels' colours over the photograph, blended where there are more pixels.
    pub fn overlay(
        self,
        photo: &RgbImage,
        labels: &GrayImage,
        classes: &Palette,
        style: OverlayStyle,
    ) -> Result<RgbImage, ReportError> {
        if self.enlarges(photo.dimensions()) {
            overlay(&self.photograph(photo), &self.labels(labels), classes, style)
        } else {
            Ok(self.photograph(&overlay(photo, labels, classes, style)?))
        }
    }

    /// The pixels of one class in white on black, ignored ones hatched.
    pub fn mask(self, labels: &GrayImage, classes: &Palette, class: u8) -> RgbImage {
        let mut mask = labels.clone();
        for pixel in mask.pixels_mut() {
            pixel.0[0] = if pixel.0[0] == class { 255 } else { 0 };
        }
        let mut shown = self.grey(&mask);
        self.hatch_ignored(&mut shown, labels, classes, MASK_HATCH);
        shown
    }

    fn hatch_ignored(self, shown: &mut RgbImage, labels: &GrayImage, classes: &Palette, greys: [Colour; 2]) {
        if !labels.as_raw().iter().any(|&label| classes.ignores(label)) {
            return;
        }
        let labels = self.labels(labels);
        for (x, y, pixel) in shown.enumerate_pixels_mut() {
            if classes.ignores(labels.get_pixel(x, y).0[0]) {
                pixel.0 = hatch(greys, x, y);
            }
        }
    }

    fn enlarges(self, (width, height): (u32, u32)) -> bool {
        self.width > width || self.height > height
    }

    /// For pictures with hard edges: a pixel stays a square when it grows.
    fn flat_filter(self, size: (u32, u32)) -> FilterType {
        if self.enlarges(size) { FilterType::Nearest } else { FilterType::Triangle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_view_keeps_proportions_and_fits(side in 1u32..400, width in 1u32..5000, height in 1u32..5000) {
            let view = View::within(side, (width, height));
            prop_assert!(view.width >= 1 && view.height >= 1);
            prop_assert_eq!(view.width.max(view.height), side);
            let exact = f64::from(width) * f64::from(side) / f64::from(width.max(height));
            prop_assert!((f64::from(view.width) - exact).abs() <= 1.0);
        }
    }
}
