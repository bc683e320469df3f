//! Decoding photographs: PNG, JPEG, BMP, TIFF, WebP and PNM to 8-bit rasters.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use dapple_base::Size;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::error::{DataError, Result};
use crate::image::orientation::turns_a_quarter;
use crate::image::raster::{Channels, DECODE_LIMIT_BYTES, MAX_CHANNELS, Raster, too_large};
use crate::image::tiff_file;
use crate::image::tiff_file::Bands;

/// Decodes an image file to red, green and blue.
///
/// The content decides the format, not the extension. EXIF orientation is applied; 16-bit values are scaled to 8 bits;
/// grey becomes colour by repeating it; an alpha channel is dropped, the colour below it kept as it is stored.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], [`DataError::TooLarge`] (over [`DECODE_LIMIT_BYTES`]).
pub fn decode_image(path: impl AsRef<Path>) -> Result<Raster> {
    decode_image_as(path, Channels::Rgb)
}

/// Decodes an image file as [`decode_image`] does, to the channels asked for.
///
/// # Errors
/// Those of [`decode_image`]; [`DataError::Decode`] also for an image with fewer channels, [`DataError::Setting`] for
/// no channel or more than [`MAX_CHANNELS`].
pub fn decode_image_as(path: impl AsRef<Path>, channels: Channels) -> Result<Raster> {
    let path = path.as_ref();
    decode_image_bytes(&read_file(path)?, path, channels)
}

/// Decodes an image in memory as [`decode_image_as`] does; errors call it `name`.
///
/// # Errors
/// Those of [`decode_image_as`] but for [`DataError::Read`].
pub fn decode_image_bytes(bytes: &[u8], name: impl AsRef<Path>, channels: Channels) -> Result<Raster> {
    let name = name.as_ref();
    let count = channels.count();
    if !(1..=MAX_CHANNELS).contains(&count) {
        return Err(DataError::setting("channels", count, "1 (grey), 3 (colour), or up to 64"));
    }
    let raster = match decode_dynamic(bytes, name) {
        Ok((image, _)) => raster_of(image, channels),
        // The general decoder knows four channels at most.
        Err(_) if tiff_file::is_tiff(bytes) => {
            let Bands { width, height, channels, data } = tiff_file::decode(bytes, name)?;
            Raster { width, height, channels, data }
        }
        Err(error) => return Err(error),
    };
    if !raster.converts_to(channels) {
        let reason = format!("it has {} channels where {count} are needed", raster.channels);
        return Err(DataError::Decode { path: name.to_owned(), reason });
    }
    Ok(raster.with_channels(channels))
}

/// The image with its own channels, where more than colour or another number than colour and grey is wanted with alpha.
fn raster_of(image: DynamicImage, wanted: Channels) -> Raster {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let photograph = !matches!(wanted, Channels::First(_));
    // `to_luma8` of a colour image has other weights than ours, so colour goes by way of RGB.
    let (channels, data) = match (image.color().has_color(), image.color().has_alpha() && !photograph) {
        (false, false) => (1, image.into_luma8().into_raw()),
        (false, true) => (2, image.into_luma_alpha8().into_raw()),
        (true, false) => (3, image.into_rgb8().into_raw()),
        (true, true) => (4, image.into_rgba8().into_raw()),
    };
    Raster { width, height, channels, data }
}

/// The size of an image in memory by its header, as it stands upright; nothing is decoded.
///
/// # Errors
/// [`DataError::Decode`] for bytes that are not an image, [`DataError::TooLarge`].
pub fn image_size_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Result<Size> {
    let name = name.as_ref();
    let (width, height) = match open_decoder(Cursor::new(bytes), name) {
        Ok((decoder, orientation)) => ImageHeader { stored: decoder.dimensions(), orientation }.size(),
        Err(DataError::Decode { .. }) if tiff_file::is_tiff(bytes) => {
            tiff_file::size(Cursor::new(bytes), name)?
        }
        Err(error) => return Err(error),
    };
    Ok(Size { height: height as usize, width: width as usize })
}

/// The header of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageHeader {
    /// Width and height as the pixels are stored.
    pub stored: (u32, u32),
    /// How they are to be turned.
    pub orientation: Orientation,
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
    let open = || fs::File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source });
    match open_decoder(BufReader::new(open()?), path) {
        Ok((decoder, orientation)) => Ok(ImageHeader { stored: decoder.dimensions(), orientation }),
        Err(error) => {
            let mut start = Vec::new();
            let read = open()?.take(4).read_to_end(&mut start);
            read.map_err(|source| DataError::Read { path: path.to_owned(), source })?;
            if !tiff_file::is_tiff(&start) {
                return Err(error);
            }
            let stored = tiff_file::size(BufReader::new(open()?), path)?;
            Ok(ImageHeader { stored, orientation: Orientation::NoTransforms })
        }
    }
}

/// Decodes whatever the bytes hold, upright; also gives the orientation that was applied.
pub(crate) fn decode_dynamic(bytes: &[u8], path: &Path) -> Result<(DynamicImage, Orientation)> {
    if bytes.is_empty() {
        return Err(DataError::Decode { path: path.to_owned(), reason: "the file is empty".into() });
    }
    if image::guess_format(bytes).is_ok_and(|f| f == ImageFormat::Jpeg) && !jpeg_ends(bytes) {
        // The decoder fills what is missing with grey, which would go unnoticed into training.
        let reason = "the JPEG is truncated (no end-of-image marker)".into();
        return Err(DataError::Decode { path: path.to_owned(), reason });
    }
    let (decoder, orientation) = open_decoder(Cursor::new(bytes), path)?;
    let (width, height) = decoder.dimensions();
    let mut image =
        DynamicImage::from_decoder(decoder).map_err(|e| decode_error(path, &e, (width, height)))?;
    image.apply_orientation(orientation);
    Ok((image, orientation))
}

/// A decoder positioned after the header, its size checked against the limit before anything is allocated.
fn open_decoder<'a, R: BufRead + Seek + 'a>(
    source: R,
    path: &Path,
) -> Result<(impl ImageDecoder + 'a, Orientation)> {
    let mut reader = ImageReader::new(source)
        .with_guessed_format()
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODE_LIMIT_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| decode_error(path, &e, (0, 0)))?;
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

/// Reads a whole file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
}
