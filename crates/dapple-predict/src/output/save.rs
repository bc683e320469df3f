//! Files of a whole prediction.

use std::path::Path;

use dapple_report::Palette;

use super::{ImageInfo, Output, Target, pictures};
use crate::prediction::{Prediction, Wants};
use crate::{PredictError, Row, UNDECIDED};

impl Prediction {
    /// Writes the mask as `dapple predict` does: a PNG of class indices with the classes' colours as its palette. Other
    /// outputs are in [`output`](crate::output).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_mask(&self, path: impl AsRef<Path>) -> Result<(), PredictError> {
        let undecided = self.classes() > 2 && self.threshold.is_some();
        let palette = Palette::new((*self.classes).clone(), undecided.then_some(UNDECIDED))?;
        let image = ImageInfo { width: self.width(), height: self.height(), name: String::new(), geo: None };
        let target = Target::file(path.as_ref())?;
        let mut mask = Box::new(pictures::Mask::new(&image, &palette, target.clone())?);
        let mut rows = self.rows(Wants::default());
        for y in 0..self.height() {
            // A mask shows nothing of the image.
            mask.row(&Row { y, pixels: &[], channels: 0, values: rows.row(y) })?;
        }
        mask.finish()?;
        target.commit().map(|_| ())
    }
}
