//! Images as rows: the interface, and an image in memory.

use dapple_data::Photo;

use crate::error::PredictError;

/// An image that is read row by row, from the top.
pub trait RowSource: Send {
    /// Width in pixels, at least 1.
    fn width(&self) -> usize;
    /// Height in pixels, at least 1.
    fn height(&self) -> usize;
    /// Values a pixel: 1 (grey), 3 (red, green, blue), or more.
    fn channels(&self) -> usize;
    /// Whether pixels may be transparent, wholly or in part, or without data.
    fn may_have_gaps(&self) -> bool;
    /// Reads the next row, `[width, channels]`, and how much of each pixel is there, `[width]`, 0 to 255.
    ///
    /// # Errors
    /// If the file is damaged.
    fn next_row(&mut self, row: &mut [u8], coverage: &mut [u8]) -> Result<(), PredictError>;
    /// Begins again with the first row.
    ///
    /// # Errors
    /// If the file cannot be read again.
    fn rewind(&mut self) -> Result<(), PredictError>;
}

/// An image in memory, row by row.
#[derive(Debug)]
pub struct PhotoRows<'a> {
    photo: &'a Photo,
    next: usize,
}

impl<'a> PhotoRows<'a> {
    /// From the top.
    pub fn new(photo: &'a Photo) -> Self {
        Self { photo, next: 0 }
    }
}

impl RowSource for PhotoRows<'_> {
    fn width(&self) -> usize {
        self.photo.raster.width
    }

    fn height(&self) -> usize {
        self.photo.raster.height
    }

    fn channels(&self) -> usize {
        self.photo.raster.channels
    }

    fn may_have_gaps(&self) -> bool {
        self.photo.coverage.is_some()
    }

    fn next_row(&mut self, row: &mut [u8], coverage: &mut [u8]) -> Result<(), PredictError> {
        row.copy_from_slice(&self.photo.raster.data[self.next * row.len()..][..row.len()]);
        match &self.photo.coverage {
            Some(values) => coverage.copy_from_slice(&values[self.next * coverage.len()..][..coverage.len()]),
            None => coverage.fill(u8::MAX),
        }
        self.next += 1;
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), PredictError> {
        self.next = 0;
        Ok(())
    }
}
