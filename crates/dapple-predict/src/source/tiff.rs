//! TIFF row by row: a row of strips or tiles at a time is in memory.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use dapple_data::{DECODE_LIMIT_BYTES, DataError, MAX_CHANNELS};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::rows::{RowSource, to_byte};
use super::tiff_plain::PlainStrips;
use crate::error::PredictError;
use crate::geo::GeoReference;

/// Rows that are read at once from strips that are not compressed.
const PLAIN_ROWS: usize = 64;

/// The first image of a TIFF file: 8 or 16 bits a value, channels interleaved.
pub(super) struct TiffRows {
    path: PathBuf,
    decoder: Decoder<BufReader<File>>,
    width: usize,
    height: usize,
    /// Values a pixel as they are stored.
    samples: usize,
    channels: usize,
    /// Width and height of a strip or a tile, or of as many rows as are read at once from strips that are `plain`.
    chunk: (usize, usize),
    plain: Option<PlainStrips>,
    /// The decoded row of chunks, `[chunk height, width, channels]`.
    band: Vec<u8>,
    /// Which row of chunks that is.
    loaded: Option<usize>,
    next: usize,
}

impl TiffRows {
    pub fn open(path: &Path) -> Result<(Self, Option<GeoReference>), PredictError> {
        let damaged = |e: tiff::TiffError| damaged(path, &e);
        let refuse = |problem: String| PredictError::bad_file(path, problem);
        let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let mut limits = Limits::default();
        limits.decoding_buffer_size = DECODE_LIMIT_BYTES as usize;
        limits.intermediate_buffer_size = DECODE_LIMIT_BYTES as usize;
        let mut decoder = Decoder::new(BufReader::new(file)).map_err(damaged)?.with_limits(limits);
        let (width, height) = decoder.dimensions().map_err(damaged)?;
        if width == 0 || height == 0 {
            return Err(refuse("the TIFF has no pixels".into()));
        }
        let samples = match decoder.colortype().map_err(damaged)? {
            ColorType::Gray(8 | 16) => 1,
            ColorType::GrayA(8 | 16) => 2,
            ColorType::RGB(8 | 16) => 3,
            ColorType::RGBA(8 | 16) => 4,
            ColorType::Multiband { bit_depth: 8 | 16, num_samples } => usize::from(num_samples),
            other => {
                return Err(refuse(format!(
                    "pixels of the kind {other:?} cannot be read row by row; convert them to 8-bit RGB"
                )));
            }
        };
        if samples > MAX_CHANNELS {
            return Err(refuse(format!("{samples} channels; at most {MAX_CHANNELS} are known")));
        }
        if samples > 1 && decoder.image_buffer_layout().map_err(damaged)?.planes > 1 {
            return Err(refuse(
                "its channels lie in planes; interleave them (gdal_translate -co INTERLEAVE=PIXEL)".into(),
            ));
        }
        if decoder.find_tag_unsigned::<u16>(Tag::Orientation).map_err(damaged)?.is_some_and(|o| o != 1) {
            return Err(refuse(
                "it is stored rotated; save it upright, so that it can be read row by row".into(),
            ));
        }
        let (across, down) = decoder.chunk_dimensions();
        let chunk = (across as usize, down.min(height) as usize);
        let (width, height) = (width as usize, height as usize);
        let channels = if samples == 2 { 1 } else { samples };
        let mut plain = None;
        if chunk.0 == width && chunk.1 > PLAIN_ROWS {
            plain = PlainStrips::find(path, &mut decoder, width * samples).map_err(damaged)?;
        }
        let chunk = if plain.is_some() { (width, PLAIN_ROWS) } else { chunk };
        let band = width as u64 * chunk.1 as u64 * channels as u64;
        if chunk.0 == 0 || chunk.1 == 0 || band > DECODE_LIMIT_BYTES {
            return Err(refuse(format!(
                "its strips of {} x {} pixels are too large to be read one by one; write it in tiles \
                 (gdal_translate -co TILED=YES)",
                chunk.0, chunk.1
            )));
        }
        let geo = GeoReference::read(&mut decoder);
        let rows = Self {
            path: path.to_owned(),
            decoder,
            width,
            height,
            samples,
            channels,
            chunk,
            plain,
            band: Vec::new(),
            loaded: None,
            next: 0,
        };
        Ok((rows, geo))
    }

    /// Decodes a row of strips or tiles.
    fn load(&mut self, chunk_row: usize) -> Result<(), PredictError> {
        let (chunk_width, chunk_height) = self.chunk;
        let across = self.width.div_ceil(chunk_width);
        let rows = chunk_height.min(self.height - chunk_row * chunk_height);
        if let Some(plain) = &mut self.plain {
            let mut values = Vec::with_capacity(rows * self.width * self.samples);
            let read = plain.read(chunk_row * chunk_height, rows, &mut values);
            read.map_err(|e| damaged(&self.path, &tiff::TiffError::IoError(e)))?;
            if self.samples != self.channels {
                values = values.into_iter().step_by(self.samples).collect();
            }
            (self.band, self.loaded) = (values, Some(chunk_row));
            return Ok(());
        }
        self.band.resize(rows * self.width * self.channels, 0);
        for column in 0..across {
            let index = (chunk_row * across + column) as u32;
            let (data_width, data_height) = self.decoder.chunk_data_dimensions(index);
            let pixels = self.decoder.read_chunk(index).map_err(|e| damaged(&self.path, &e))?;
            let values = match pixels {
                DecodingResult::U8(values) => values,
                DecodingResult::U16(values) => values.into_iter().map(to_byte).collect(),
                _ => {
                    return Err(PredictError::bad_file(
                        &self.path,
                        "values that are neither 8 nor 16 bits; convert them",
                    ));
                }
            };
            let (data_width, data_height) = (data_width as usize, data_height as usize);
            let left = column * chunk_width;
            let fits = left + data_width <= self.width && data_height >= rows;
            if !fits || values.len() < data_width * rows * self.samples {
                return Err(PredictError::bad_file(
                    &self.path,
                    format!("strip or tile {index} is too short; save it again"),
                ));
            }
            for (y, row) in values.chunks_exact(data_width * self.samples).take(rows).enumerate() {
                let to =
                    &mut self.band[(y * self.width + left) * self.channels..][..data_width * self.channels];
                if self.samples == self.channels {
                    to.copy_from_slice(row);
                } else {
                    to.iter_mut().zip(row.iter().step_by(self.samples)).for_each(|(to, from)| *to = *from);
                }
            }
        }
        self.loaded = Some(chunk_row);
        Ok(())
    }
}

fn damaged(path: &Path, error: &tiff::TiffError) -> PredictError {
    PredictError::bad_file(path, format!("the TIFF cannot be decoded: {error}; save it again"))
}

impl RowSource for TiffRows {
    fn width(&self) -> usize {
        self.width
    }

    fn height(&self) -> usize {
        self.height
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn next_row(&mut self, row: &mut [u8]) -> Result<(), PredictError> {
        let (chunk_row, inside) = (self.next / self.chunk.1, self.next % self.chunk.1);
        if self.loaded != Some(chunk_row) {
            self.load(chunk_row)?;
        }
        let length = self.width * self.channels;
        row.copy_from_slice(&self.band[inside * length..][..length]);
        self.next += 1;
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), PredictError> {
        self.next = 0;
        Ok(())
    }
}
