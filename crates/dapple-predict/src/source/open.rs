//! Opening an image in the way that its size asks for.

use std::fs;
use std::path::Path;

use dapple_data::{Raster, decode_image_as};

use super::{RowSource, open_rows};
use crate::geo::GeoReference;
use crate::{PredictError, Predictor};

/// An image opened: in memory, or read row by row because it is too large.
pub enum Opened {
    /// In memory.
    Whole(Raster),
    /// Row by row.
    Rows(Box<dyn RowSource>),
}

/// Opens an image for a predictor, with where it lies on the ground.
///
/// # Errors
/// [`PredictError::Model`] and [`PredictError::BadFile`] for files that cannot be decoded.
pub fn open(path: &Path, predictor: &Predictor) -> Result<(Opened, Option<GeoReference>), PredictError> {
    let limit = predictor.settings().memory_bytes;
    let mut geo = None;
    match open_rows(path) {
        Ok(Some((rows, place))) => {
            let bytes = (rows.width() as u64).saturating_mul(rows.height() as u64 * rows.channels() as u64);
            if bytes > limit {
                return Ok((Opened::Rows(rows), place));
            }
            geo = place;
        }
        Ok(None) => {}
        Err(error) => {
            // What cannot be read row by row may still be decoded at once, unless the file alone is too large.
            if fs::metadata(path).is_ok_and(|file| file.len() > limit) {
                return Err(error);
            }
        }
    }
    Ok((Opened::Whole(decode_image_as(path, predictor.channels().into())?), geo))
}
