//! PNG row by row.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use dapple_data::DataError;

use super::rows::RowSource;
use crate::error::PredictError;

/// A PNG file that is not interlaced. Palettes become colours, 16 bits become 8, alpha is dropped.
pub(super) struct PngRows {
    path: PathBuf,
    reader: png::Reader<BufReader<File>>,
    width: usize,
    height: usize,
    /// Values a pixel as they are decoded, alpha included.
    samples: usize,
}

impl PngRows {
    /// `None` for an interlaced file, whose last pass holds every second row.
    pub fn open(path: &Path) -> Result<Option<Self>, PredictError> {
        let reader = open(path)?;
        let info = reader.info();
        if info.interlaced {
            return Ok(None);
        }
        let (width, height) = (info.width as usize, info.height as usize);
        let samples = reader.output_color_type().0.samples();
        Ok(Some(Self { path: path.to_owned(), reader, width, height, samples }))
    }
}

fn open(path: &Path) -> Result<png::Reader<BufReader<File>>, PredictError> {
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.read_info().map_err(|e| damaged(path, &e))
}

fn damaged(path: &Path, error: &png::DecodingError) -> PredictError {
    PredictError::bad_file(path, format!("the PNG cannot be decoded: {error}; save it again"))
}

impl RowSource for PngRows {
    fn width(&self) -> usize {
        self.width
    }

    fn height(&self) -> usize {
        self.height
    }

    fn channels(&self) -> usize {
        if self.samples < 3 { 1 } else { 3 }
    }

    fn next_row(&mut self, row: &mut [u8]) -> Result<(), PredictError> {
        let channels = self.channels();
        let read = self.reader.next_row().map_err(|e| damaged(&self.path, &e))?;
        let Some(read) = read else {
            return Err(PredictError::bad_file(
                &self.path,
                "the PNG has fewer rows than its header says; save it again",
            ));
        };
        for (to, from) in row.chunks_exact_mut(channels).zip(read.data().chunks_exact(self.samples)) {
            to.copy_from_slice(&from[..channels]);
        }
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), PredictError> {
        self.reader = open(&self.path)?;
        Ok(())
    }
}
