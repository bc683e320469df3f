//! NumPy arrays (NEP 1, format version 1.0) that are written row by row.

use std::io::Write;

use super::image_info::ImageInfo;
use super::target::Target;
use crate::error::PredictError;

/// `float32`, little-endian, C order: `[height, width]` of one value a pixel, else `[height, width, depth]`.
pub(super) struct NpyRows(Target);

impl NpyRows {
    pub fn new(image: &ImageInfo, depth: usize, mut target: Target) -> Result<Self, PredictError> {
        let ImageInfo { width, height, .. } = image;
        let shape = match depth {
            1 => format!("({height}, {width})"),
            _ => format!("({height}, {width}, {depth})"),
        };
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        // Magic, version and length take 10 bytes; the data begin at a multiple of 64, after a line feed.
        const BEFORE: usize = 10;
        let padded = (BEFORE + header.len() + 1).next_multiple_of(64) - BEFORE;
        header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        // A header of three numbers is far shorter than 64 KiB.
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.into_bytes());
        target.write_all(&bytes).map_err(|e| PredictError::write("NumPy array", e))?;
        Ok(Self(target))
    }

    /// Values of a row, as bytes.
    pub fn row(&mut self, bytes: &[u8]) -> Result<(), PredictError> {
        self.0.write_all(bytes).map_err(|e| PredictError::write("NumPy array", e))
    }

    pub fn finish(mut self) -> Result<(), PredictError> {
        self.0.flush().map_err(|e| PredictError::write("NumPy array", e))
    }
}
