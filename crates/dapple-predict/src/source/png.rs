//! PNG row by row.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use dapple_data::{DataError, Reading, SampleKind, Samples, Stored, ValueRange, is_turned};
use png::{BitDepth, ColorType};

use super::rows::RowSource;
use crate::error::PredictError;

/// A PNG file that is not interlaced. Palettes become colours.
pub(super) struct PngRows {
    path: PathBuf,
    reader: png::Reader<BufReader<File>>,
    reading: Reading,
    range: ValueRange,
    width: usize,
    height: usize,
    format: (ColorType, BitDepth),
}

impl PngRows {
    /// `None` for an interlaced file, whose last pass holds every second row, for one that EXIF data turn, and for an animation,
    /// which is refused as a whole.
    pub fn open(path: &Path, reading: &Reading) -> Result<Option<Self>, PredictError> {
        let reader = open(path)?;
        let info = reader.info();
        if info.interlaced
            || info.animation_control.is_some_and(|control| control.num_frames > 1)
            || info.exif_metadata.is_some() && is_turned(path)?
        {
            return Ok(None);
        }
        let (width, height) = (info.width as usize, info.height as usize);
        let format = reader.output_color_type();
        let (reading, range) = (reading.clone(), ValueRange::Type);
        let mut rows = Self { path: path.to_owned(), reader, reading, range, width, height, format };
        let bands = format.0.samples() - usize::from(has_alpha(format.0));
        let reading = rows.reading.clone();
        let range = reading.settle(path, (rows.kind(), bands), || rows.extent());
        rows.range = range?;
        rows.rewind()?;
        Ok(Some(rows))
    }

    fn kind(&self) -> SampleKind {
        if self.format.1 == BitDepth::Sixteen { SampleKind::Uint(16) } else { SampleKind::BYTE }
    }

    /// The smallest and the largest value.
    fn extent(&mut self) -> Result<Option<[f64; 2]>, DataError> {
        let damaged = |error: PredictError| match error {
            PredictError::Model(dapple_model::ModelError::Data(error)) => error,
            error => DataError::Image { path: self.path.clone(), problem: error.to_string() },
        };
        let path = self.path.clone();
        let mut extent = None::<[f64; 2]>;
        for _ in 0..self.height {
            let row = stored_row(&mut self.reader, &path, self.width, self.format);
            if let Some([low, high]) = row.map_err(&damaged)?.extent() {
                let [least, most] = extent.get_or_insert([low, high]);
                (*least, *most) = (least.min(low), most.max(high));
            }
        }
        Ok(extent)
    }
}

fn open(path: &Path) -> Result<png::Reader<BufReader<File>>, PredictError> {
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    // Its colour profile is read apart: it may expand a thousandfold.
    decoder.set_ignore_iccp_chunk(true);
    decoder.read_info().map_err(|e| damaged(path, &e))
}

fn has_alpha(color: ColorType) -> bool {
    matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba)
}

fn damaged(path: &Path, error: &png::DecodingError) -> PredictError {
    PredictError::bad_file(path, format!("the PNG cannot be decoded: {error}; save it again"))
}

/// The next row as it is stored.
fn stored_row(
    reader: &mut png::Reader<BufReader<File>>,
    path: &Path,
    width: usize,
    (color, depth): (ColorType, BitDepth),
) -> Result<Stored, PredictError> {
    let read = reader.next_row().map_err(|e| damaged(path, &e))?;
    let Some(read) = read else {
        return Err(PredictError::bad_file(
            path,
            "the PNG has fewer rows than its header says; save it again",
        ));
    };
    let channels = color.samples();
    let (samples, kind) = match depth {
        BitDepth::Sixteen => {
            let values = read.data().as_chunks().0.iter().map(|&pair| u16::from_be_bytes(pair));
            (Samples::U16(values.collect()), SampleKind::Uint(16))
        }
        _ => (Samples::U8(read.data()[..width * channels].to_vec()), SampleKind::BYTE),
    };
    let alpha = has_alpha(color).then(|| channels - 1);
    Ok(Stored { width, height: 1, channels, alpha, samples, kind, nodata: None, mask: None, icc: None })
}

impl RowSource for PngRows {
    fn width(&self) -> usize {
        self.width
    }

    fn height(&self) -> usize {
        self.height
    }

    fn channels(&self) -> usize {
        self.reading.channels.count()
    }

    fn may_have_gaps(&self) -> bool {
        has_alpha(self.format.0)
    }

    fn next_row(&mut self, row: &mut [u8], coverage: &mut [u8]) -> Result<(), PredictError> {
        let stored = stored_row(&mut self.reader, &self.path, self.width, self.format)?;
        let photo = stored.photo(&self.range, self.reading.channels);
        let photo = photo.map_err(|reason| PredictError::bad_file(&self.path, reason))?;
        row.copy_from_slice(&photo.raster.data);
        match &photo.coverage {
            Some(values) => coverage.copy_from_slice(values),
            None => coverage.fill(u8::MAX),
        }
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), PredictError> {
        self.reader = open(&self.path)?;
        Ok(())
    }
}
