//! Images as rows: the interface, and an image in memory.

use dapple_data::Raster;

use crate::error::PredictError;

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
