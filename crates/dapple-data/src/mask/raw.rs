//! The stored content of a mask file: values or colours at their own bit depth.

use std::io::Cursor;
use std::path::Path;

use dapple_base::Size;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};

use crate::error::{DataError, Result};
use crate::image::animation::{SEVERAL_PICTURES, is_animation};
use crate::image::contained::contained;
use crate::image::decode::decode_dynamic;
use crate::image::orientation::{UPRIGHT, orient};
use crate::image::raster::{DECODE_LIMIT_BYTES, too_large};
use crate::image::stored::{Samples, Stored};
use crate::image::tiff::{Plain, TiffFile, is_tiff};
use crate::mask::colour::pack;
use crate::mask::{npy, pnm};

/// The numbers stored in a mask file, `[height, width]`: palette indices or grey values, not scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskValues {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` values.
    pub values: Vec<u16>,
    /// The value of white at the file's bit depth: 255 for 8 bits, 65535 for 16.
    pub white: u16,
    /// Whether the values are indices into a palette.
    pub indexed: bool,
    /// Whether the file is a JPEG or a lossy WebP, whose values are near the true ones only.
    pub lossy: bool,
}

/// The largest difference between the channels of a grey picture that the colour conversion and rounding of lossy
/// formats leave.
const LOSSY_GREY_TOLERANCE: u16 = 12;

/// The decoded pixels of a mask file, turned upright by its own EXIF data.
#[derive(Debug, Clone)]
pub(crate) struct RawMask {
    pub width: usize,
    pub height: usize,
    /// Values a pixel: 1 (grey value or palette index) or 3 (red, green, blue).
    samples: usize,
    /// `height * width * samples` values.
    values: Vec<u16>,
    /// The value of white.
    pub white: u16,
    /// The colours of the palette, where the values are indices into one.
    palette: Option<Vec<[u8; 3]>>,
    /// The opacity of every pixel, where all have one colour: then a shape can only be in it.
    alpha: Option<Vec<u16>>,
    /// Whether the file says how it is to be turned.
    pub has_orientation: bool,
    /// Whether the file is a JPEG or a lossy WebP, whose values are not exact.
    pub is_lossy: bool,
}

/// The part of a mask file that holds its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    /// Grey values, palette indices, colours.
    Stored,
    /// Grey values; those of the palette's colours instead of indices.
    Greys,
    /// The opacity.
    Alpha,
}

impl RawMask {
    /// Decodes the bytes of a mask file; `path` is what errors call it.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        contained(path, || Self::decode_bytes(bytes, path))
    }

    fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let format = image::guess_format(bytes).ok();
        if format == Some(ImageFormat::Png) {
            // The general decoder replaces palette indices by colours and stretches 2- and 4-bit greys to 0..=255.
            return decode_png(bytes, path);
        }
        if is_tiff(bytes) {
            return decode_tiff(bytes, path);
        }
        if let Some(array) = npy::read(bytes, path)? {
            let npy::Array { width, height, values, white } = array;
            let (samples, palette, alpha, has_orientation, is_lossy) = (1, None, None, false, false);
            return Ok(Self {
                width,
                height,
                samples,
                values,
                white,
                palette,
                alpha,
                has_orientation,
                is_lossy,
            });
        }
        if format == Some(ImageFormat::Gif) && is_animation(bytes) {
            return Err(DataError::image(path, SEVERAL_PICTURES));
        }
        let (image, orientation) = decode_dynamic(bytes, path)?;
        let is_lossy =
            format == Some(ImageFormat::Jpeg) || format == Some(ImageFormat::WebP) && is_lossy_webp(bytes);
        let mut mask = from_dynamic(image, path)?;
        if let Some(white) = pnm::white(bytes).filter(|&white| white < mask.white) {
            pnm::unstretch(&mut mask.values, white, mask.white);
            mask.white = white;
        }
        Ok(Self { has_orientation: orientation != UPRIGHT, is_lossy, ..mask })
    }

    /// Whether the pixels are colours: not grey, not palette indices.
    pub fn is_coloured(&self) -> bool {
        self.samples == 3 && self.first_colour().is_some()
    }

    /// The first pixel whose channels differ.
    fn first_colour(&self) -> Option<usize> {
        let tolerance = if self.is_lossy { LOSSY_GREY_TOLERANCE } else { 0 };
        let grey =
            |p: &[u16]| p[0].abs_diff(p[1]).max(p[1].abs_diff(p[2])).max(p[0].abs_diff(p[2])) <= tolerance;
        self.values.chunks_exact(3).position(|p| !grey(p))
    }

    /// Grey values and palette indices.
    ///
    /// # Errors
    /// [`DataError::ColourMask`].
    pub fn into_values(self, path: &Path) -> Result<MaskValues> {
        let Self { width, height, samples, white, is_lossy: lossy, .. } = self;
        let indexed = self.palette.is_some();
        if samples == 1 {
            return Ok(MaskValues { width, height, values: self.values, white, indexed, lossy });
        }
        if let Some(i) = self.first_colour() {
            let (x, y) = ((i % width) as u32, (i / width) as u32);
            let p = &self.values[3 * i..];
            return Err(DataError::ColourMask { path: path.to_owned(), x, y, r: p[0], g: p[1], b: p[2] });
        }
        // Green is nearest to the brightness where JPEG has made the channels differ by a little.
        let values = self.values.chunks_exact(3).map(|p| p[1]).collect();
        Ok(MaskValues { width, height, values, white, indexed, lossy })
    }

    /// The width, and the colour of every pixel as [`pack`] makes it; greys and palette indices become colours too.
    ///
    /// # Errors
    /// [`DataError::Decode`] for an index beyond the palette and for 16-bit colours that 8 bits do not hold.
    pub fn into_colours(self, path: &Path) -> Result<(usize, Vec<u32>)> {
        let failed = |reason: String| DataError::Decode { path: path.to_owned(), reason };
        if let Some(palette) = &self.palette {
            let colour = |&index: &u16| {
                let entry = palette.get(usize::from(index));
                entry.map(|&c| pack(c)).ok_or_else(|| beyond_palette(index, path))
            };
            return Ok((self.width, self.values.iter().map(colour).collect::<Result<_>>()?));
        }
        let white = u32::from(self.white);
        let byte = |v: u16| {
            let scaled = u32::from(v) * 255;
            (scaled % white == 0).then_some((scaled / white) as u8)
        };
        let colour = |p: &[u16]| {
            let bytes = if let [r, g, b] = p { [byte(*r), byte(*g), byte(*b)] } else { [byte(p[0]); 3] };
            match bytes {
                [Some(r), Some(g), Some(b)] => Ok(pack([r, g, b])),
                _ => Err(failed(format!(
                    "the 16-bit colour {p:?} is none of 8 bits; save colour masks with 8 bits"
                ))),
            }
        };
        Ok((self.width, self.values.chunks_exact(self.samples).map(colour).collect::<Result<_>>()?))
    }

    /// The palette, where the values are indices into one.
    pub fn palette(&self) -> Option<&[[u8; 3]]> {
        self.palette.as_deref()
    }

    /// The first value of every run of equal ones.
    pub fn runs(&self) -> impl Iterator<Item = u16> + '_ {
        self.values.chunk_by(|a, b| a == b).map(|run| run[0])
    }

    /// The opacity of every pixel, where all have one colour.
    pub fn alpha(&self) -> Option<&[u16]> {
        self.alpha.as_deref()
    }

    /// The mask that one of its parts is; a file without that part stays as it is.
    ///
    /// # Errors
    /// [`DataError::Decode`] for an index beyond the palette.
    pub fn on_plane(mut self, plane: Plane, path: &Path) -> Result<Self> {
        match plane {
            Plane::Stored => Ok(self),
            Plane::Alpha => Ok(match self.alpha.take() {
                Some(values) => Self { samples: 1, values, palette: None, ..self },
                None => self,
            }),
            Plane::Greys => {
                let Some(palette) = self.palette.take() else { return Ok(self) };
                let mut values = Vec::with_capacity(self.values.len() * 3);
                for &index in &self.values {
                    let colour =
                        palette.get(usize::from(index)).ok_or_else(|| beyond_palette(index, path))?;
                    values.extend(colour.map(u16::from));
                }
                let mut mask = Self { samples: 3, values, white: 255, ..self };
                if mask.first_colour().is_none() {
                    mask.values = mask.values.chunks_exact(3).map(|p| p[0]).collect();
                    mask.samples = 1;
                }
                Ok(mask)
            }
        }
    }

    fn turned(self, orientation: Orientation) -> Self {
        if orientation == UPRIGHT {
            return self;
        }
        let alpha = self.alpha.map(|alpha| orient(self.width, self.height, 1, alpha, orientation).2);
        let (width, height, values) = orient(self.width, self.height, self.samples, self.values, orientation);
        Self { width, height, values, alpha, has_orientation: true, ..self }
    }
}

fn beyond_palette(index: u16, path: &Path) -> DataError {
    DataError::Decode { path: path.to_owned(), reason: format!("index {index} is beyond the palette") }
}

/// Whether the pixels of a WebP are in a chunk of the lossy kind.
fn is_lossy_webp(bytes: &[u8]) -> bool {
    let mut at = 12;
    while let Some(header) = bytes.get(at..at + 8) {
        match &header[..4] {
            b"VP8 " => return true,
            b"VP8L" => return false,
            _ => {}
        }
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        at += 8 + length + length % 2;
    }
    false
}

/// Colours without opacity, `samples` values each, and the opacity where all have one colour.
fn without_alpha(values: Vec<u16>, channels: usize) -> (usize, Vec<u16>, Option<Vec<u16>>) {
    if channels % 2 == 1 {
        return (channels, values, None);
    }
    let samples = channels - 1;
    let mut pixels = values.chunks_exact(channels);
    let first = pixels.next().map(|p| &p[..samples]);
    let one_colour = pixels.all(|p| Some(&p[..samples]) == first);
    let alpha = one_colour.then(|| values.chunks_exact(channels).map(|p| p[samples]).collect());
    let colours = values.chunks_exact(channels).flat_map(|p| &p[..samples]).copied().collect();
    (samples, colours, alpha)
}

/// Decodes a PNG without any transformation, so that indices stay indices.
fn decode_png(bytes: &[u8], path: &Path) -> Result<RawMask> {
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
    let (samples, values, alpha) = without_alpha(values, samples);
    let palette = match info.color_type {
        png::ColorType::Indexed => reader.info().palette.as_ref().map(|p| p.as_chunks::<3>().0.to_vec()),
        _ => None,
    };
    let orientation =
        reader.info().exif_metadata.as_ref().and_then(|exif| Orientation::from_exif_chunk(exif));
    let white = ((1_u32 << info.bit_depth as u32) - 1) as u16;
    let (has_orientation, is_lossy) = (false, false);
    let mask = RawMask { width, height, samples, values, white, palette, alpha, has_orientation, is_lossy };
    Ok(mask.turned(orientation.unwrap_or(UPRIGHT)))
}

/// Decodes a TIFF as images of training are decoded, but for indices and greys of few bits, which stay as they are.
fn decode_tiff(bytes: &[u8], path: &Path) -> Result<RawMask> {
    let mut file = TiffFile::open(Cursor::new(bytes), path)?;
    let orientation = file.orientation();
    let Size { height, width } = file.size();
    let (is_lossy, has_orientation) = (false, false);
    if let Some(Plain { values, white, palette }) = file.read_plain()? {
        let (samples, alpha) = (1, None);
        let mask =
            RawMask { width, height, samples, values, white, palette, alpha, has_orientation, is_lossy };
        return Ok(mask.turned(orientation));
    }
    let Stored { channels, alpha, samples, .. } = file.read()?;
    let colours = channels - usize::from(alpha.is_some());
    if !matches!(colours, 1 | 3) || alpha.is_some_and(|alpha| alpha != colours) {
        let problem = format!(
            "a mask has one channel or three, but it has {colours}; save class indices as a grey PNG"
        );
        return Err(DataError::image(path, problem));
    }
    let (white, values) = match samples {
        Samples::U8(values) => (255, values.into_iter().map(u16::from).collect()),
        Samples::U16(values) => (u16::MAX, values),
        Samples::F32(values) => (u16::MAX, whole_numbers(values.into_iter().map(f64::from), path)?),
        Samples::F64(values) => (u16::MAX, whole_numbers(values.into_iter(), path)?),
    };
    let (samples, values, alpha) = without_alpha(values, channels);
    let palette = None;
    let mask = RawMask { width, height, samples, values, white, palette, alpha, has_orientation, is_lossy };
    Ok(mask.turned(orientation))
}

/// Class indices that were saved as numbers of another type.
fn whole_numbers(values: impl Iterator<Item = f64>, path: &Path) -> Result<Vec<u16>> {
    let whole = |value: f64| {
        let is_index = value.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&value);
        is_index.then_some(value as u16).ok_or_else(|| DataError::Decode {
            path: path.to_owned(),
            reason: format!("a mask with the value {value}; save class indices as a grey PNG"),
        })
    };
    values.map(whole).collect()
}

/// The `i`-th value of a row packed at `depth` (1, 2 or 4) bits a value, the leftmost in the highest bits.
fn packed_value(row: &[u8], i: usize, depth: usize) -> u16 {
    let bit = i * depth;
    let shift = 8 - depth - bit % 8;
    u16::from(row[bit / 8] >> shift) & ((1 << depth) - 1)
}

/// The values of a picture of any other format, upright already.
fn from_dynamic(image: DynamicImage, path: &Path) -> Result<RawMask> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let bytes = |raw: Vec<u8>| raw.into_iter().map(u16::from).collect();
    let (channels, white, values) = match image {
        DynamicImage::ImageLuma8(grey) => (1, 255, bytes(grey.into_raw())),
        DynamicImage::ImageLuma16(grey) => (1, u16::MAX, grey.into_raw()),
        DynamicImage::ImageLumaA8(grey) => (2, 255, bytes(grey.into_raw())),
        DynamicImage::ImageLumaA16(grey) => (2, u16::MAX, grey.into_raw()),
        DynamicImage::ImageRgb8(colour) => (3, 255, bytes(colour.into_raw())),
        DynamicImage::ImageRgb16(colour) => (3, u16::MAX, colour.into_raw()),
        DynamicImage::ImageRgba8(colour) => (4, 255, bytes(colour.into_raw())),
        DynamicImage::ImageRgba16(colour) => (4, u16::MAX, colour.into_raw()),
        _ => {
            let reason = "a mask of floating-point values; save class indices as a grey PNG".into();
            return Err(DataError::Decode { path: path.to_owned(), reason });
        }
    };
    let (samples, values, alpha) = without_alpha(values, channels);
    let (palette, has_orientation, is_lossy) = (None, false, false);
    Ok(RawMask { width, height, samples, values, white, palette, alpha, has_orientation, is_lossy })
}
