//! Decoding images: PNG, JPEG, BMP, TIFF, WebP, PNM and GIF to 8-bit rasters.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use dapple_base::{SampleKind, Size, open_regular, read_regular};
use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::error::{DataError, Result};
use crate::image::animation::{SEVERAL_PICTURES, is_animation};
use crate::image::contained::contained;
use crate::image::orientation::turns_a_quarter;
use crate::image::raster::{Channels, DECODE_LIMIT_BYTES, FILE_LIMIT_BYTES, Photo, Raster, too_large};
use crate::image::reading::Reading;
use crate::image::stored::Stored;
use crate::image::tiff::{TiffFile, is_tiff};

/// Memory beside the pixels of a PNG: two rows of it, and its colour profile, of which a larger one is left out.
const PNG_ROW_AND_PROFILE_BYTES: u64 = 16 << 20;

/// Decodes an image file to red, green and blue.
///
/// The content decides the format, not the extension. EXIF orientation is applied; values of more than 8 bits are scaled
/// by the range of their type; grey becomes colour by repeating it; an alpha channel is dropped, the colour below it kept
/// as it is stored.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], [`DataError::TooLarge`] (over [`DECODE_LIMIT_BYTES`]); [`DataError::Image`]
/// for values whose range the type does not tell, and for files with several images.
pub fn decode_image(path: impl AsRef<Path>) -> Result<Raster> {
    decode_image_as(path, Channels::Rgb)
}

/// Decodes an image file as [`decode_image`] does, to the channels asked for.
///
/// # Errors
/// Those of [`decode_image`]; [`DataError::Decode`] also for an image with fewer channels, [`DataError::Setting`] for
/// no channel or more than [`MAX_CHANNELS`](crate::MAX_CHANNELS).
pub fn decode_image_as(path: impl AsRef<Path>, channels: Channels) -> Result<Raster> {
    Ok(decode_photo(path, &channels.into())?.raster)
}

/// Decodes an image in memory as [`decode_image_as`] does; errors call it `name`.
///
/// # Errors
/// Those of [`decode_image_as`] but for [`DataError::Read`].
pub fn decode_image_bytes(bytes: &[u8], name: impl AsRef<Path>, channels: Channels) -> Result<Raster> {
    Ok(decode_photo_bytes(bytes, name, &channels.into())?.raster)
}

/// Decodes an image file with its alpha and its colour profile, in the given reading.
///
/// # Errors
/// Those of [`decode_image_as`]; [`DataError::Image`] also for an image that the reading does not fit.
pub fn decode_photo(path: impl AsRef<Path>, reading: &Reading) -> Result<Photo> {
    let path = path.as_ref();
    decode_photo_bytes(&read_file(path)?, path, reading)
}

/// Decodes an image in memory as [`decode_photo`] does; errors call it `name`.
///
/// # Errors
/// Those of [`decode_photo`] but for [`DataError::Read`].
pub fn decode_photo_bytes(bytes: &[u8], name: impl AsRef<Path>, reading: &Reading) -> Result<Photo> {
    contained(name.as_ref(), || photo_of_bytes(bytes, name.as_ref(), reading))
}

fn photo_of_bytes(bytes: &[u8], name: &Path, reading: &Reading) -> Result<Photo> {
    reading.check()?;
    let (stored, orientation) = decode_stored(bytes, name)?;
    let facts = (stored.kind, stored.bands());
    let range = reading.settle(name, facts, || Ok(stored.extent()))?;
    let photo = stored.photo(&range, reading.channels);
    let photo = photo.map_err(|reason| DataError::Decode { path: name.to_owned(), reason })?;
    Ok(photo.turned(orientation))
}

/// The profile of an image file's colours (ICC.1), read without the pixels; none of more than 16 MiB.
///
/// # Errors
/// Those of [`decode_photo`] for the file's header.
pub fn colour_profile(path: impl AsRef<Path>) -> Result<Option<Vec<u8>>> {
    contained(path.as_ref(), || profile_of_file(path.as_ref()))
}

fn profile_of_file(path: &Path) -> Result<Option<Vec<u8>>> {
    let (source, start) = open_start(path)?;
    if is_tiff(&start) {
        return Ok(TiffFile::open(source, path)?.profile().map(<[u8]>::to_vec));
    }
    // Of an image of any size: it may be one that is read row by row.
    Ok(decoder_of(source, path)?.icc_profile().ok().flatten())
}

/// Whether the pixels of an image file have to be turned to stand upright, read without the pixels.
///
/// # Errors
/// Those of [`decode_photo`] for the file's header.
pub fn is_turned(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    let orientation = contained(path, || {
        let (source, start) = open_start(path)?;
        if is_tiff(&start) {
            return Ok(TiffFile::open(source, path)?.orientation());
        }
        // Of an image of any size, as for the colour profile. A damaged EXIF block says nothing.
        Ok(decoder_of(source, path)?.orientation().unwrap_or(Orientation::NoTransforms))
    })?;
    Ok(orientation != Orientation::NoTransforms)
}

/// A file from its beginning, and its first bytes.
fn open_start(path: &Path) -> Result<(BufReader<File>, Vec<u8>)> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let mut file = open_regular(path).map_err(failed)?;
    let mut start = Vec::new();
    (&mut file).take(4).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok((BufReader::new(file), start))
}

/// The pixels of an image file as they are stored.
pub(crate) fn decode_stored(bytes: &[u8], path: &Path) -> Result<(Stored, Orientation)> {
    if is_tiff(bytes) {
        let mut file = TiffFile::open(Cursor::new(bytes), path)?;
        return Ok((file.read()?, file.orientation()));
    }
    if is_animation(bytes) {
        return Err(DataError::image(path, SEVERAL_PICTURES));
    }
    let (image, icc, orientation) = decode_upright_later(bytes, path)?;
    Ok((Stored::of(image, icc), orientation))
}

/// The size of an image in memory by its header, as it stands upright; nothing is decoded.
///
/// # Errors
/// [`DataError::Decode`] for bytes that are not an image, [`DataError::TooLarge`].
pub fn image_size_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Result<Size> {
    let (width, height) =
        contained(name.as_ref(), || header(Cursor::new(bytes), bytes, name.as_ref()))?.size();
    Ok(Size { height: height as usize, width: width as usize })
}

/// The size of an image file by its header, as it stands upright; nothing is decoded.
///
/// # Errors
/// Those of [`image_size_bytes`], and [`DataError::Read`].
pub fn image_size(path: impl AsRef<Path>) -> Result<Size> {
    let (width, height) = image_header(path.as_ref())?.size();
    Ok(Size { height: height as usize, width: width as usize })
}

/// The header of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageHeader {
    /// Width and height as the pixels are stored.
    pub stored: (u32, u32),
    /// How they are to be turned.
    pub orientation: Orientation,
    /// The type of the values.
    pub kind: SampleKind,
    /// Channels without alpha.
    pub bands: usize,
}

impl ImageHeader {
    /// Width and height of the upright image.
    pub fn size(self) -> (u32, u32) {
        let (w, h) = self.stored;
        if turns_a_quarter(self.orientation) { (h, w) } else { (w, h) }
    }
}

/// Reads the header of an image file.
pub(crate) fn image_header(path: &Path) -> Result<ImageHeader> {
    contained(path, || read_header(path))
}

fn read_header(path: &Path) -> Result<ImageHeader> {
    let (source, start) = open_start(path)?;
    header(source, &start, path)
}

/// The header of what begins with `start`.
fn header<R: BufRead + Seek>(source: R, start: &[u8], path: &Path) -> Result<ImageHeader> {
    if is_tiff(start) {
        let file = TiffFile::open(source, path)?;
        let Size { height, width } = file.size();
        let stored = (width as u32, height as u32);
        let (kind, bands) = (file.kind(), file.bands());
        return Ok(ImageHeader { stored, orientation: file.orientation(), kind, bands });
    }
    let (decoder, orientation) = open_decoder(source, path)?;
    let color = decoder.color_type();
    let bands = color.channel_count() - u8::from(color.has_alpha());
    let kind = match color.bytes_per_pixel() / color.channel_count() {
        1 => SampleKind::BYTE,
        2 => SampleKind::Uint(16),
        _ => SampleKind::Float(32),
    };
    Ok(ImageHeader { stored: decoder.dimensions(), orientation, kind, bands: bands.into() })
}

/// Decodes whatever the bytes hold, upright; also gives the orientation that was applied.
pub(crate) fn decode_dynamic(bytes: &[u8], path: &Path) -> Result<(DynamicImage, Orientation)> {
    let (mut image, _, orientation) = decode_upright_later(bytes, path)?;
    image.apply_orientation(orientation);
    Ok((image, orientation))
}

/// Decodes whatever the bytes hold; also gives the colour profile, and the orientation that is to be applied.
fn decode_upright_later(bytes: &[u8], path: &Path) -> Result<(DynamicImage, Option<Vec<u8>>, Orientation)> {
    if bytes.is_empty() {
        return Err(DataError::Decode { path: path.to_owned(), reason: "the file is empty".into() });
    }
    if image::guess_format(bytes).is_ok_and(|f| f == ImageFormat::Jpeg) && !jpeg_ends(bytes) {
        // The decoder fills what is missing with grey, which would go unnoticed into training.
        let reason = "the JPEG is truncated (no end-of-image marker)".into();
        return Err(DataError::Decode { path: path.to_owned(), reason });
    }
    let (mut decoder, orientation) = open_decoder(Cursor::new(bytes), path)?;
    let (width, height) = decoder.dimensions();
    // A damaged profile is no reason to refuse the pixels.
    let icc = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(|e| decode_error(path, &e, (width, height)))?;
    Ok((image, icc, orientation))
}

/// A decoder positioned after the header.
fn decoder_of<'a, R: BufRead + Seek + 'a>(source: R, path: &Path) -> Result<Box<dyn ImageDecoder + 'a>> {
    let mut reader = ImageReader::new(source)
        .with_guessed_format()
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODE_LIMIT_BYTES);
    let decoder: Box<dyn ImageDecoder + 'a> = match reader.format() {
        // A colour profile may expand a thousandfold, and the decoder keeps it.
        Some(ImageFormat::Png) => {
            limits.max_alloc = Some(PNG_ROW_AND_PROFILE_BYTES);
            Box::new(
                PngDecoder::with_limits(reader.into_inner(), limits)
                    .map_err(|e| decode_error(path, &e, (0, 0)))?,
            )
        }
        _ => {
            reader.limits(limits);
            Box::new(reader.into_decoder().map_err(|e| decode_error(path, &e, (0, 0)))?)
        }
    };
    Ok(decoder)
}

/// As [`decoder_of`], its size checked against the limit before anything is allocated.
fn open_decoder<'a, R: BufRead + Seek + 'a>(
    source: R,
    path: &Path,
) -> Result<(Box<dyn ImageDecoder + 'a>, Orientation)> {
    let mut decoder = decoder_of(source, path)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DataError::Decode { path: path.to_owned(), reason: "it has no pixels".into() });
    }
    if decoder.total_bytes() > DECODE_LIMIT_BYTES {
        return Err(too_large(path, (width, height)));
    }
    // A damaged EXIF block is no reason to refuse the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

/// Whether a JPEG reaches its end-of-image marker; cameras may append data (previews, depth maps) after it.
///
/// The segments before the first scan are stepped over, for an embedded thumbnail has an end marker of its own.
fn jpeg_ends(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|w| w == [0xff, 0xd9]);
        }
        // A byte 0xff before a marker is padding; any other marker here begins a segment with its length.
        at += if marker == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    false
}

fn decode_error(path: &Path, error: &ImageError, size: (u32, u32)) -> DataError {
    match error {
        ImageError::Limits(_) if size != (0, 0) => too_large(path, size),
        _ => DataError::Decode { path: path.to_owned(), reason: error.to_string() },
    }
}

/// Reads a whole file: a regular one, no larger than an image that can be decoded.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    read_regular(path, FILE_LIMIT_BYTES).map_err(|source| DataError::Read { path: path.to_owned(), source })
}
