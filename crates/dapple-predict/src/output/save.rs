//! Files of a whole prediction.

use std::path::Path;

use super::image_info::ImageInfo;
use super::palette::output_palette;
use super::pictures::Mask;
use super::sink::Output;
use super::target::Target;
use crate::error::PredictError;
use crate::prediction::{Prediction, Wants};
use crate::row::ImageRow;

impl Prediction {
    /// Writes the mask as `dapple predict` does: a PNG of class indices with the classes' colours as its palette. Other
    /// outputs are in [`output`](crate::output).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_mask(&self, path: impl AsRef<Path>) -> Result<(), PredictError> {
        let palette = output_palette(&self.classes, self.threshold)?;
        let image = ImageInfo {
            width: self.width(),
            height: self.height(),
            name: String::new(),
            ..ImageInfo::default()
        };
        let target = Target::file(path.as_ref())?;
        let mut mask = Box::new(Mask::new(&image, &palette, target.clone())?);
        let mut rows = self.rows(Wants::default());
        for y in 0..self.height() {
            // A mask shows nothing of the image.
            mask.row(&ImageRow { y, pixels: &[], channels: 0, coverage: &[], values: rows.row(y) })?;
        }
        mask.finish()?;
        target.commit().map(|_| ())
    }
}
