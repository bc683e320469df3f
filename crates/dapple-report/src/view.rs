//! A sample's pictures brought to the size in which a sheet shows them.

use image::imageops::{self, FilterType};
use image::{GrayImage, RgbImage};

use crate::classes::hatch;
use crate::{Classes, ReportError, colour_map};

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

    /// A photograph or other picture without hard edges to keep: smoothed when it shrinks, and pixels left visible
    /// when it grows a lot.
    pub fn picture(self, image: &RgbImage) -> RgbImage {
        imageops::resize(image, self.width, self.height, self.filter(image.dimensions()))
    }

    /// A grey image such as a mask or a probability map, as RGB.
    pub fn grey(self, image: &GrayImage) -> RgbImage {
        let shown = imageops::resize(image, self.width, self.height, self.filter(image.dimensions()));
        RgbImage::from_fn(self.width, self.height, |x, y| image::Rgb([shown.get_pixel(x, y).0[0]; 3]))
    }

    /// The labels at each pixel shown; labels are never mixed.
    pub fn labels(self, labels: &GrayImage) -> GrayImage {
        imageops::resize(labels, self.width, self.height, FilterType::Nearest)
    }

    /// A label map in its colours, hatched at the size shown so that the hatching looks the same everywhere.
    pub fn colours(self, labels: &GrayImage, classes: &Classes) -> Result<RgbImage, ReportError> {
        let mut shown = self.picture(&colour_map(labels, classes)?);
        self.hatch_ignored(&mut shown, labels, classes);
        Ok(shown)
    }

    /// The pixels of one class in white on black, ignored ones hatched.
    pub fn mask(self, labels: &GrayImage, classes: &Classes, class: u8) -> RgbImage {
        let mut mask = labels.clone();
        for pixel in mask.pixels_mut() {
            pixel.0[0] = if pixel.0[0] == class { 255 } else { 0 };
        }
        let mut shown = self.grey(&mask);
        self.hatch_ignored(&mut shown, labels, classes);
        shown
    }

    fn hatch_ignored(self, shown: &mut RgbImage, labels: &GrayImage, classes: &Classes) {
        if !labels.as_raw().iter().any(|&label| classes.ignores(label)) {
            return;
        }
        let labels = self.labels(labels);
        for (x, y, pixel) in shown.enumerate_pixels_mut() {
            if classes.ignores(labels.get_pixel(x, y).0[0]) {
                pixel.0 = hatch(x, y);
            }
        }
    }

    fn filter(self, (width, height): (u32, u32)) -> FilterType {
        if self.width > width || self.height > height { FilterType::Nearest } else { FilterType::Triangle }
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
