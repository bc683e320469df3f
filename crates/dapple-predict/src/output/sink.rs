//! The interface of outputs: rows in, a file out.

use dapple_data::Photo;

use crate::error::PredictError;
use crate::prediction::{Prediction, Wants};
use crate::row::ImageRow;

/// A file that is written from an image's rows.
pub trait Output: Send {
    /// The values of a row that it needs besides the labels.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// [`PredictError::Write`].
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError>;

    /// Writes the remainder after the last row.
    ///
    /// # Errors
    /// [`PredictError::Write`].
    fn finish(self: Box<Self>) -> Result<(), PredictError>;
}

/// The values that any of several outputs needs.
pub fn wants_of(outputs: &[Box<dyn Output>]) -> Wants {
    outputs.iter().fold(Wants::default(), |wants, output| wants.or(output.wants()))
}

/// Passes all rows of an image and its prediction to outputs, and finishes them.
///
/// # Errors
/// Those of the outputs.
pub fn write_all(
    image: &Photo,
    prediction: &Prediction,
    mut outputs: Vec<Box<dyn Output>>,
) -> Result<(), PredictError> {
    let mut rows = prediction.rows(wants_of(&outputs));
    let (width, channels) = (image.raster.width, image.raster.channels);
    for (y, pixels) in image.raster.data.chunks_exact(width * channels).enumerate() {
        let coverage = image.coverage.as_ref().map_or(&[][..], |coverage| &coverage[y * width..][..width]);
        let row = ImageRow { y, pixels, channels, coverage, values: rows.row(y) };
        for output in &mut outputs {
            output.row(&row)?;
        }
    }
    outputs.into_iter().try_for_each(Output::finish)
}
