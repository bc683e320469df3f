//! Decoding photographs: PNG, JPEG, BMP, TIFF, WebP and PNM to 8-bit rasters.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::error::{DataError, Result};
use crate::tiff_file::{self, Bands};

/// The memory one decoded image may take, in bytes: 178 million RGB pixels, more than any camera has, and little
/// enough that a file whose header lies cannot bring the machine down.
pub const DECODE_LIMIT_BYTES: u64 = 512 << 20;

/// The most channels an image may have.
pub const MAX_CHANNELS: usize = 64;

/// The extensions by which image files are told from other files, in lower case. The content decides the format.
pub(crate) const EXTENSIONS: [&str; 12] =
    ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "pnm", "pbm", "pgm", "ppm", "pam"];

/// An 8-bit image, `[height, width, channels]`, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Width in pixels, at least 1.
    pub width: usize,
    /// Height in pixels, at least 1.
    pub height: usize,
    /// 1 (grey), 3 (red, green, blue), or any other number up to [`MAX_CHANNELS`] of a picture that is no photograph.
    pub channels: usize,
    /// `height * width * channels` values.
    pub data: Vec<u8>,
}

impl Raster {
    /// A raster of the given data.
    ///
    /// # Panics
    /// If a side is 0, `channels` is not 1 to [`MAX_CHANNELS`], or `data` has another length: a mistake of the caller.
    pub fn new(width: usize, height: usize, channels: usize, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a raster has at least one pixel");
        assert!((1..=MAX_CHANNELS).contains(&channels), "a raster has 1 to 64 channels");
        assert_eq!(data.len(), width * height * channels, "raster data of the wrong length");
        Self { width, height, channels, data }
    }

    /// The same image with `channels` channels: grey of colour by [`luma`], colour of grey by repeating it, otherwise the
    /// first `channels` of them. The first three of many are taken for red, green and blue.
    ///
    /// # Panics
    /// If the image has fewer channels and is not grey: a mistake of the caller.
    pub fn with_channels(self, channels: usize) -> Self {
        let data = match (self.channels, channels) {
            (from, to) if from == to => return self,
            (1, 3) => self.data.iter().flat_map(|&v| [v; 3]).collect(),
            (3.., 1) => self.data.chunks_exact(self.channels).map(|p| luma([p[0], p[1], p[2]])).collect(),
            (from, to) => {
                assert!(from > to, "an image of {from} channels where {to} are needed");
                self.data.chunks_exact(from).flat_map(|pixel| &pixel[..to]).copied().collect()
            }
        };
        Self { channels, data, ..self }
    }
}

/// The brightness of an RGB pixel by the weights of ITU-R BT.601, as in Pillow and OpenCV.
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

/// Decodes an image file to `channels` channels: 1 (grey), 3 (colour), or as many of those it has.
///
/// The content decides the format, not the extension. EXIF orientation is applied; 16-bit values are scaled to 8 bits;
/// for 1 and 3 channels an alpha channel is dropped, the colour below it kept as it is stored.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], also for an image with fewer channels, [`DataError::TooLarge`] (over
/// [`DECODE_LIMIT_BYTES`]).
pub fn decode_image(path: impl AsRef<Path>, channels: usize) -> Result<Raster> {
    let path = path.as_ref();
    decode_image_bytes(&read_file(path)?, path, channels)
}

/// Decodes an image in memory as [`decode_image`] does; `name` is what errors call it.
///
/// # Errors
/// [`DataError::Decode`], [`DataError::TooLarge`].
pub fn decode_image_bytes(bytes: &[u8], name: impl AsRef<Path>, channels: usize) -> Result<Raster> {
    let name = name.as_ref();
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(DataError::setting("channels", channels, "1 (grey), 3 (colour), or up to 64"));
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
    if raster.channels < channels && (raster.channels, channels) != (1, 3) {
        let reason = format!("it has {} channels where {channels} are needed", raster.channels);
        return Err(DataError::Decode { path: name.to_owned(), reason });
    }
    Ok(raster.with_channels(channels))
}

/// The image with its own channels, where more than colour or another number than colour and grey is wanted with alpha.
fn raster_of(image: DynamicImage, wanted: usize) -> Raster {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let photograph = wanted == 1 || wanted == 3;
    // `to_luma8` of a colour image has other weights than ours, so colour goes by way of RGB.
    let (channels, data) = match (image.color().has_color(), image.color().has_alpha() && !photograph) {
        (false, false) => (1, image.into_luma8().into_raw()),
        (false, true) => (2, image.into_luma_alpha8().into_raw()),
        (true, false) => (3, image.into_rgb8().into_raw()),
        (true, true) => (4, image.into_rgba8().into_raw()),
    };
    Raster { width, height, channels, data }
}

/// Width and height of an image in memory by its header, as it stands upright; nothing is decoded.
///
/// # Errors
/// [`DataError::Decode`] for bytes that begin as no image, [`DataError::TooLarge`].
pub fn image_size_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Result<(u32, u32)> {
    let name = name.as_ref();
    match open_decoder(Cursor::new(bytes), name) {
        Ok((decoder, orientation)) => Ok(ImageHeader { stored: decoder.dimensions(), orientation }.size()),
        Err(DataError::Decode { .. }) if tiff_file::is_tiff(bytes) => {
            tiff_file::size(Cursor::new(bytes), name)
        }
        Err(error) => Err(error),
    }
}

/// What the header of an image file says.
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

/// Turns `[height, width, samples]` values upright; gives the new width and height.
pub(crate) fn orient<T: Copy>(
    width: usize,
    height: usize,
    samples: usize,
    values: Vec<T>,
    orientation: Orientation,
) -> (usize, usize, Vec<T>) {
    if orientation == Orientation::NoTransforms {
        return (width, height, values);
    }
    let (w, h) = if turns_a_quarter(orientation) { (height, width) } else { (width, height) };
    let mut turned = Vec::with_capacity(values.len());
    for y in 0..h {
        for x in 0..w {
            let (sx, sy) = match orientation {
                Orientation::NoTransforms => (x, y),
                Orientation::Rotate90 => (y, height - 1 - x),
                Orientation::Rotate180 => (width - 1 - x, height - 1 - y),
                Orientation::Rotate270 => (width - 1 - y, x),
                Orientation::FlipHorizontal => (width - 1 - x, y),
                Orientation::FlipVertical => (x, height - 1 - y),
                Orientation::Rotate90FlipH => (y, x),
                Orientation::Rotate270FlipH => (width - 1 - y, height - 1 - x),
            };
            turned.extend_from_slice(&values[(sy * width + sx) * samples..][..samples]);
        }
    }
    (w, h, turned)
}

/// Reads a whole file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
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

pub(crate) fn turns_a_quarter(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
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

pub(crate) fn too_large(path: &Path, (width, height): (u32, u32)) -> DataError {
    DataError::TooLarge { path: path.to_owned(), width, height, limit_mib: DECODE_LIMIT_BYTES >> 20 }
}

fn decode_error(path: &Path, error: &ImageError, size: (u32, u32)) -> DataError {
    match error {
        ImageError::Limits(_) if size != (0, 0) => too_large(path, size),
        _ => DataError::Decode { path: path.to_owned(), reason: error.to_string() },
    }
}
