//! Probabilities as a NumPy array (NEP 1, format version 1.0).

use std::io::Write;

use super::{ImageInfo, Output, Target};
use crate::prediction::Wants;
use crate::{PredictError, Row};

/// `float32`, little-endian, C order: `[height, width]` of two classes' foreground, else `[height, width, classes]`.
pub(super) struct Npy {
    target: Target,
    classes: usize,
    bytes: Vec<u8>,
}

impl Npy {
    pub fn new(image: &ImageInfo, classes: usize, mut target: Target) -> Result<Self, PredictError> {
        let ImageInfo { width, height, .. } = image;
        let shape = match classes {
            2 => format!("({height}, {width})"),
            _ => format!("({height}, {width}, {classes})"),
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
        Ok(Self { target, classes, bytes: Vec::new() })
    }
}

impl Output for Npy {
    fn wants(&self) -> Wants {
        Wants { probabilities: true, ..Wants::default() }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        self.bytes.clear();
        let (skip, step) = if self.classes == 2 { (1, 2) } else { (0, 1) };
        let values = row.values.probabilities.iter().skip(skip).step_by(step);
        self.bytes.extend(values.flat_map(|p| p.to_le_bytes()));
        self.target.write_all(&self.bytes).map_err(|e| PredictError::write("NumPy array", e))
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        Ok(())
    }
}
