//! Decoding masks to label maps: palette, grey (8 or 16 bit) and grey-valued RGB pictures.
//!
//! Decoding has two steps. [`decode_values`] reads the numbers that the file stores; [`LabelCoding`] says which class a
//! number means. The second needs to know all masks of a data set (is 255 the foreground, or one class of many?), the
//! first only one.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat};
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image_file::{DECODE_LIMIT_BYTES, decode_dynamic, read_file, too_large};

/// A label map, `[height, width]`, rows from the top: the class of every pixel, or the ignore label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` labels.
    pub labels: Vec<u8>,
}

/// The numbers stored in a mask file, `[height, width]`: palette indices or grey values, not scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskValues {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` values.
    pub values: Vec<u16>,
}

/// What the numbers of a mask file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelCoding {
    /// The value is the class.
    Indices,
    /// Two values: background (class 0) and foreground (class 1), such as 0 and 255.
    Binary {
        /// The value of class 0.
        background: u16,
        /// The value of class 1.
        foreground: u16,
    },
    /// Soft masks: class 1 from this value on, class 0 below it.
    Threshold(u16),
}

impl LabelCoding {
    /// The class of a stored value; `None` where the coding gives it none. The ignore label stays itself.
    pub fn label(self, value: u16, ignore: Option<u8>) -> Option<u8> {
        if let Some(ignore) = ignore
            && value == u16::from(ignore)
        {
            return Some(ignore);
        }
        match self {
            Self::Indices => u8::try_from(value).ok(),
            Self::Binary { background, .. } if value == background => Some(0),
            Self::Binary { foreground, .. } if value == foreground => Some(1),
            Self::Binary { .. } => None,
            Self::Threshold(threshold) => Some(u8::from(value >= threshold)),
        }
    }

    fn expected(self, classes: usize) -> String {
        match self {
            Self::Binary { background, foreground } => {
                format!("all others have only {background} (background) and {foreground} (foreground)")
            }
            _ if classes == 1 => "there is 1 class (value 0)".into(),
            _ => format!("there are {classes} classes (values 0 to {})", classes - 1),
        }
    }
}

/// Decodes the values that a mask file stores.
///
/// Palette PNGs give their indices, grey pictures their values at their own bit depth (a 1-bit PNG gives 0 and 1), RGB
/// pictures whose three channels agree everywhere their grey value; alpha is dropped.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], [`DataError::TooLarge`], and [`DataError::ColourMask`] for a colour picture.
pub fn decode_values(path: impl AsRef<Path>) -> Result<MaskValues> {
    let path = path.as_ref();
    let bytes = read_file(path)?;
    if image::guess_format(&bytes).is_ok_and(|format| format == ImageFormat::Png) {
        // The general decoder replaces palette indices by colours and stretches 2- and 4-bit greys to 0..=255.
        decode_png(&bytes, path)
    } else {
        from_dynamic(decode_dynamic(&bytes, path)?, path)
    }
}

/// Decodes a mask file to labels below `classes` or equal to `ignore`.
///
/// # Errors
/// Those of [`decode_values`], and [`DataError::MaskValue`].
pub fn decode_labels(
    path: impl AsRef<Path>,
    coding: LabelCoding,
    classes: usize,
    ignore: Option<u8>,
) -> Result<LabelMap> {
    let path = path.as_ref();
    let MaskValues { width, height, values } = decode_values(path)?;
    let label = |value| {
        coding
            .label(value, ignore)
            .filter(|&label| usize::from(label) < classes || ignore == Some(label))
            .ok_or_else(|| mask_value_error(path, value, coding, classes))
    };
    // Masks are flat, so that the last value is nearly always the next one too.
    let mut last = *values.first().expect("a decoded mask has at least one pixel");
    let mut last_label = label(last)?;
    let mut labels = Vec::with_capacity(values.len());
    for value in values {
        if value != last {
            (last, last_label) = (value, label(value)?);
        }
        labels.push(last_label);
    }
    Ok(LabelMap { width, height, labels })
}

pub(crate) fn mask_value_error(path: &Path, value: u16, coding: LabelCoding, classes: usize) -> DataError {
    DataError::MaskValue { path: path.to_owned(), value, expected: coding.expected(classes) }
}

/// Decodes a PNG without any transformation, so that indices stay indices.
fn decode_png(bytes: &[u8], path: &Path) -> Result<MaskValues> {
    let failed = |e: png::DecodingError| DataError::Decode { path: path.to_owned(), reason: e.to_string() };
    let limits = png::Limits { bytes: DECODE_LIMIT_BYTES as usize };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = reader.info().size();
    let size = reader.output_buffer_size().filter(|&size| size as u64 <= DECODE_LIMIT_BYTES);
    let mut buffer = vec![0; size.ok_or_else(|| too_large(path, (width, height)))?];
    let info = reader.next_frame(&mut buffer).map_err(failed)?;
    // Reading on to the end chunk notices files cut off after the pixels' last block.
    reader.finish().map_err(failed)?;

    let (width, height) = (width as usize, height as usize);
    let samples = info.color_type.samples();
    let rows = buffer.chunks_exact(info.line_size).take(height);
    let per_row = width * samples;
    let mut values = Vec::with_capacity(per_row * height);
    for row in rows {
        match info.bit_depth {
            png::BitDepth::Sixteen => {
                let (pairs, _) = row.as_chunks::<2>();
                values.extend(pairs[..per_row].iter().map(|&pair| u16::from_be_bytes(pair)));
            }
            png::BitDepth::Eight => values.extend(row[..per_row].iter().map(|&v| u16::from(v))),
            depth => values.extend((0..per_row).map(|i| packed_value(row, i, depth as usize))),
        }
    }
    let values = match samples {
        1 => values,
        2 => values.chunks_exact(2).map(|p| p[0]).collect(),
        samples => grey_of_colour(&values, samples, width, path)?,
    };
    Ok(MaskValues { width, height, values })
}

/// The `i`-th value of a row packed at `depth` (1, 2 or 4) bits a value, the leftmost in the highest bits.
fn packed_value(row: &[u8], i: usize, depth: usize) -> u16 {
    let bit = i * depth;
    let shift = 8 - depth - bit % 8;
    u16::from(row[bit / 8] >> shift) & ((1 << depth) - 1)
}

/// The values of a picture of any other format.
fn from_dynamic(image: DynamicImage, path: &Path) -> Result<MaskValues> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values = match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw().into_iter().map(u16::from).collect(),
        DynamicImage::ImageLuma16(grey) => grey.into_raw(),
        DynamicImage::ImageLumaA8(grey) => grey.pixels().map(|p| u16::from(p.0[0])).collect(),
        DynamicImage::ImageLumaA16(grey) => grey.pixels().map(|p| p.0[0]).collect(),
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            grey_of_colour(&image.into_rgb16().into_raw(), 3, width, path)?
        }
        DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => {
            let values: Vec<u16> = image.into_rgb8().into_raw().into_iter().map(u16::from).collect();
            grey_of_colour(&values, 3, width, path)?
        }
        _ => {
            let reason = "a mask of floating-point values; save class indices as a grey PNG".into();
            return Err(DataError::Decode { path: path.to_owned(), reason });
        }
    };
    Ok(MaskValues { width, height, values })
}

/// The common value of red, green and blue of every pixel.
fn grey_of_colour(values: &[u16], samples: usize, width: usize, path: &Path) -> Result<Vec<u16>> {
    let pixel = |(i, p): (usize, &[u16])| {
        if p[0] == p[1] && p[1] == p[2] {
            return Ok(p[0]);
        }
        let (x, y) = ((i % width) as u32, (i / width) as u32);
        Err(DataError::ColourMask { path: path.to_owned(), x, y, r: p[0], g: p[1], b: p[2] })
    };
    values.chunks_exact(samples).enumerate().map(pixel).collect()
}
