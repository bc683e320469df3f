//! Images read row by row, so that their size is bounded by the disk and not by the memory.

mod open;
mod png;
mod tiff;
mod tiff_plain;

use std::path::Path;

use dapple_data::Raster;

pub use open::{Opened, open};

use crate::PredictError;
use crate::geo::GeoReference;

/// An image that is read row by row, from the top.
pub trait RowSource: Send {
    /// Width in pixels, at least 1.
    fn width(&self) -> usize;
    /// Height in pixels, at least 1.
    fn height(&self) -> usize;
    /// Values a pixel: 1 (grey), 3 (red, green, blue), or more.
    fn channels(&self) -> usize;
    /// Reads the next row, `[width, channels]`.
    ///
    /// # Errors
    /// If the file is damaged.
    fn next_row(&mut self, row: &mut [u8]) -> Result<(), PredictError>;
    /// Begins again with the first row.
    ///
    /// # Errors
    /// If the file cannot be read again.
    fn rewind(&mut self) -> Result<(), PredictError>;
}

/// An open file, and where on Earth it lies if it says so.
pub type OpenRows = (Box<dyn RowSource>, Option<GeoReference>);

/// Opens a file that can be read row by row: TIFF in strips or tiles, and PNG that is not interlaced. `None` for any
/// other format.
///
/// # Errors
/// [`PredictError::BadFile`] for a damaged file.
pub fn open_rows(path: &Path) -> Result<Option<OpenRows>, PredictError> {
    let mut start = [0; 8];
    let mut read = || {
        use std::io::Read;
        std::fs::File::open(path)?.read(&mut start)
    };
    if let Err(source) = read() {
        return Err(dapple_data::DataError::Read { path: path.to_owned(), source }.into());
    }
    match start {
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => {
            let (source, geo) = tiff::TiffRows::open(path)?;
            Ok(Some((Box::new(source), geo)))
        }
        [0x89, b'P', b'N', b'G', ..] => {
            Ok(png::PngRows::open(path)?.map(|source| (Box::new(source) as Box<dyn RowSource>, None)))
        }
        _ => Ok(None),
    }
}

/// An image in memory, row by row.
#[derive(Debug)]
pub struct RasterRows<'a> {
    raster: &'a Raster,
    next: usize,
}

impl<'a> RasterRows<'a> {
    /// From the top.
    pub fn new(raster: &'a Raster) -> Self {
        Self { raster, next: 0 }
    }
}

impl RowSource for RasterRows<'_> {
    fn width(&self) -> usize {
        self.raster.width
    }

    fn height(&self) -> usize {
        self.raster.height
    }

    fn channels(&self) -> usize {
        self.raster.channels
    }

    fn next_row(&mut self, row: &mut [u8]) -> Result<(), PredictError> {
        let length = self.raster.width * self.raster.channels;
        row.copy_from_slice(&self.raster.data[self.next * length..][..length]);
        self.next += 1;
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), PredictError> {
        self.next = 0;
        Ok(())
    }
}

/// Scales 16 bits to 8, to the nearest, as the decoder of whole images does.
pub(crate) fn to_byte(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}
