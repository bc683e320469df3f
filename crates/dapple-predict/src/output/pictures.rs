//! Masks and overlays, written row by row.

use std::sync::Arc;

use dapple_data::padded_palette;
use dapple_report::{OverlayStyle, Palette, overlay_row};
use png::{BitDepth, ColorType};

use super::image_info::ImageInfo;
use super::painted::Painted;
use super::png_rows::PngRows;
use super::sink::Output;
use super::target::Target;
use crate::decision::UNDECIDED;
use crate::error::PredictError;
use crate::row::ImageRow;

/// Red, green and blue of each label; `has_gaps` where pixels may have the label of those without data.
pub(super) fn mask_palette(classes: &Palette, has_gaps: bool) -> Vec<u8> {
    let is_undecided = classes.ignore_index().is_some() || has_gaps;
    padded_palette(classes.colours(), if is_undecided { UNDECIDED } else { 0 })
}

/// Class indices with a palette.
pub(super) struct Mask(PngRows);

impl Mask {
    pub fn new(image: &ImageInfo, classes: &Palette, target: Target) -> Result<Self, PredictError> {
        let palette = Some(mask_palette(classes, image.has_gaps));
        Ok(Self(PngRows::new(image, ColorType::Indexed, BitDepth::Eight, palette, target)?))
    }
}

impl Output for Mask {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.0.row(&row.labels_with_data())
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.0.finish()
    }
}

/// Class indices as grey values.
pub(super) struct Labels(PngRows);

impl Labels {
    pub fn new(image: &ImageInfo, target: Target) -> Result<Self, PredictError> {
        Ok(Self(PngRows::new(image, ColorType::Grayscale, BitDepth::Eight, None, target)?))
    }
}

impl Output for Labels {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.0.row(&row.labels_with_data())
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.0.finish()
    }
}

/// The classes' colours over the image; with two classes, the background is left as it is. What is transparent in the image
/// stays so.
pub(super) struct Overlay {
    png: Painted,
    classes: Arc<Palette>,
    style: OverlayStyle,
    painted: Vec<u8>,
}

impl Overlay {
    pub fn new(
        image: &ImageInfo,
        classes: &Arc<Palette>,
        opacity: f32,
        target: Target,
    ) -> Result<Self, PredictError> {
        let png = Painted::new(image, target)?;
        let unpainted = (classes.count() == 2).then_some(0);
        let style = OverlayStyle { opacity, unpainted };
        Ok(Self { png, classes: Arc::clone(classes), style, painted: Vec::new() })
    }
}

impl Output for Overlay {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.painted.clear();
        row.append_rgb(&mut self.painted);
        overlay_row(&mut self.painted, &row.values.labels, row.y as u32, &self.classes, self.style);
        self.png.row(&self.painted, row.coverage)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        self.png.finish()
    }
}
