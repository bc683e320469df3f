//! Opening an image: whole, or row by row where it is large.

use std::fs;
use std::io::Read;
use std::path::Path;

use dapple_base::{Size, contain, open_regular};
use dapple_data::{DataError, Photo, Reading, decode_photo};

use super::png::PngRows;
use super::rows::RowSource;
use super::tiff::TiffRows;
use crate::error::PredictError;
use crate::predictor::Predictor;

/// The first bytes of a file, which tell its format; zeros behind a shorter one.
pub(crate) fn first_bytes(path: &Path) -> Result<[u8; 8], PredictError> {
    let mut start = [0; 8];
    open_regular(path)
        .and_then(|mut file| file.read(&mut start))
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    Ok(start)
}

/// Opens a file that can be read row by row: TIFF in strips or tiles, and PNG that is not interlaced and stands upright.
/// `None` for any other one.
///
/// # Errors
/// [`PredictError::BadFile`] for a damaged file.
pub fn open_rows(path: &Path, reading: &Reading) -> Result<Option<Box<dyn RowSource>>, PredictError> {
    match first_bytes(path)? {
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => {
            Ok(Some(Box::new(TiffRows::open(path, reading)?)))
        }
        [0x89, b'P', b'N', b'G', ..] => {
            let rows = PngRows::open(path, reading)?;
            Ok(rows.map(|source| Box::new(source) as Box<dyn RowSource>))
        }
        _ => Ok(None),
    }
}

/// An open image: in memory, or read row by row because it is too large.
pub enum Opened {
    /// In memory.
    Whole(Photo),
    /// Row by row.
    Rows(Box<dyn RowSource>),
}

impl Opened {
    /// Height and width.
    pub fn size(&self) -> Size {
        match self {
            Self::Whole(photo) => Size { height: photo.raster.height, width: photo.raster.width },
            Self::Rows(rows) => Size { height: rows.height(), width: rows.width() },
        }
    }

    /// Whether pixels may be transparent, wholly or in part, or without data.
    pub fn may_have_gaps(&self) -> bool {
        match self {
            Self::Whole(photo) => photo.coverage.is_some(),
            Self::Rows(rows) => rows.may_have_gaps(),
        }
    }
}

/// Opens an image for a predictor.
///
/// # Errors
/// [`PredictError::Model`] and [`PredictError::BadFile`] for files that cannot be decoded.
pub fn open(path: &Path, predictor: &Predictor) -> Result<Opened, PredictError> {
    let limit = predictor.settings().memory_bytes;
    let reading = predictor.reading();
    // A panic in a decoder is the fault of that decoder: the other one may read the file.
    let rows = contain(|| open_rows(path, &reading))
        .unwrap_or_else(|panicked| Err(PredictError::Crashed { path: path.to_owned(), source: panicked }));
    match rows {
        Ok(Some(rows)) => {
            let bytes = (rows.width() as u64).saturating_mul(rows.height() as u64 * rows.channels() as u64);
            if bytes > limit {
                return Ok(Opened::Rows(rows));
            }
        }
        Ok(None) => {}
        Err(error) => {
            // A file that cannot be read row by row may still be decoded at once, unless the file alone is too large.
            if fs::metadata(path).is_ok_and(|file| file.len() > limit) {
                return Err(error);
            }
        }
    }
    Ok(Opened::Whole(decode_photo(path, &reading)?))
}
