//! TIFF files with more channels than a photograph has: satellite and microscope pictures, striped or tiled, 8 or 16
//! bits, channels interleaved or in planes.

use std::io::{Cursor, Read, Seek};
use std::path::Path;

use tiff::decoder::{Decoder, DecodingResult, Limits};

use crate::error::{DataError, Result};
use crate::image::raster::{DECODE_LIMIT_BYTES, MAX_CHANNELS, too_large};

/// The channels of an image as they are stored, scaled to 8 bits, `[height, width, channels]`.
#[derive(Debug)]
pub(crate) struct Bands {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub data: Vec<u8>,
}

/// Whether these bytes begin as a TIFF file does.
pub(crate) fn is_tiff(bytes: &[u8]) -> bool {
    matches!(bytes, [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..])
}

/// Width and height by the header.
pub(crate) fn size<R: Read + Seek>(source: R, path: &Path) -> Result<(u32, u32)> {
    let failed = |e: tiff::TiffError| DataError::Decode { path: path.to_owned(), reason: e.to_string() };
    open(source).and_then(|mut decoder| decoder.dimensions()).map_err(failed)
}

fn open<R: Read + Seek>(source: R) -> tiff::TiffResult<Decoder<R>> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = DECODE_LIMIT_BYTES as usize;
    limits.intermediate_buffer_size = DECODE_LIMIT_BYTES as usize;
    Ok(Decoder::new(source)?.with_limits(limits))
}

/// Decodes all channels of the first image of a file. 16-bit values are scaled to 8 bits.
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Bands> {
    let failed = |reason: String| DataError::Decode { path: path.to_owned(), reason };
    let tiff_failed = |e: tiff::TiffError| failed(e.to_string());
    let mut decoder = open(Cursor::new(bytes)).map_err(tiff_failed)?;
    let (width, height) = decoder.dimensions().map_err(tiff_failed)?;
    if width == 0 || height == 0 {
        return Err(failed("it has no pixels".into()));
    }
    let layout = decoder.image_buffer_layout().map_err(tiff_failed)?;
    if layout.complete_len as u64 > DECODE_LIMIT_BYTES {
        return Err(too_large(path, (width, height)));
    }
    let mut pixels = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut pixels).map_err(tiff_failed)?;
    let values: Vec<u8> = match pixels {
        DecodingResult::U8(values) => values,
        // As the decoder of other formats scales, rounding to the nearest.
        DecodingResult::U16(values) => values.iter().map(|&v| ((u32::from(v) + 128) / 257) as u8).collect(),
        _ => return Err(failed("values that are neither 8 nor 16 bits without a sign; convert them".into())),
    };
    let (width, height) = (width as usize, height as usize);
    let channels = values.len() / (width * height);
    if channels == 0 || channels > MAX_CHANNELS || channels * width * height != values.len() {
        return Err(failed(format!("{} values for {width} x {height} pixels", values.len())));
    }
    let data = if layout.planes > 1 { interleave(&values, width * height, channels) } else { values };
    Ok(Bands { width, height, channels, data })
}

/// One plane after the other becomes one pixel after the other.
fn interleave(planes: &[u8], pixels: usize, channels: usize) -> Vec<u8> {
    (0..pixels).flat_map(|p| (0..channels).map(move |c| planes[c * pixels + p])).collect()
}
