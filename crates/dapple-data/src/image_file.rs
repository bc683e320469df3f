//! Decoding photographs: PNG, JPEG, BMP, TIFF, WebP and PNM to 8-bit grey or RGB rasters.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::error::{DataError, Result};

/// The memory one decoded image may take, in bytes: 178 million RGB pixels, more than any camera has, and little
/// enough that a file whose header lies cannot bring the machine down.
pub const DECODE_LIMIT_BYTES: u64 = 512 << 20;

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
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `height * width * channels` values.
    pub data: Vec<u8>,
}

impl Raster {
    /// A raster of the given data.
    ///
    /// # Panics
    /// If a side is 0, `channels` is neither 1 nor 3, or `data` has another length: a mistake of the caller.
    pub fn new(width: usize, height: usize, channels: usize, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a raster has at least one pixel");
        assert!(channels == 1 || channels == 3, "a raster has 1 or 3 channels");
        assert_eq!(data.len(), width * height * channels, "raster data of the wrong length");
        Self { width, height, channels, data }
    }

    /// The same image with `channels` channels: grey by [`luma`], colour by repeating grey.
    ///
    /// # Panics
    /// If `channels` is neither 1 nor 3.
    pub fn with_channels(self, channels: usize) -> Self {
        let data = match (self.channels, channels) {
            (1, 1) | (3, 3) => return self,
            (1, 3) => self.data.iter().flat_map(|&v| [v; 3]).collect(),
            (3, 1) => self.data.as_chunks::<3>().0.iter().map(|&p| luma(p)).collect(),
            _ => panic!("a raster has 1 or 3 channels, not {channels}"),
        };
        Self { channels, data, ..self }
    }
}

/// The brightness of an RGB pixel by the weights of ITU-R BT.601, as in Pillow and OpenCV.
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

/// Decodes an image file to `channels` channels (1 or 3).
///
/// The content decides the format, not the extension. EXIF orientation is applied; 16-bit values are scaled to 8 bits;
/// an alpha channel is dropped, the colour below it kept as it is stored.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], [`DataError::TooLarge`] (over [`DECODE_LIMIT_BYTES`]).
pub fn decode_image(path: impl AsRef<Path>, channels: usize) -> Result<Raster> {
    let path = path.as_ref();
    decode_image_bytes(&read_file(path)?, path, channels)
}

/// Decodes an image in memory as [`decode_image`] does; `name` is what errors call it.
///
/// # Errors
/// [`DataError::Decode`], [`DataError::TooLarge`].
pub fn decode_image_bytes(bytes: &[u8], name: impl AsRef<Path>, channels: usize) -> Result<Raster> {
    if channels != 1 && channels != 3 {
        return Err(DataError::setting("channels", channels, "1 (grey) or 3 (colour)"));
    }
    let image = decode_dynamic(bytes, name.as_ref())?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let grey = !image.color().has_color();
    // `to_luma8` of a colour image has other weights than ours, so colour goes by way of RGB.
    let raster = if grey {
        Raster { width, height, channels: 1, data: image.into_luma8().into_raw() }
    } else {
        Raster { width, height, channels: 3, data: image.into_rgb8().into_raw() }
    };
    Ok(raster.with_channels(channels))
}

/// Width and height of an image file from its header, after EXIF orientation.
pub(crate) fn image_size(path: &Path) -> Result<(u32, u32)> {
    let file = fs::File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let (decoder, orientation) = open_decoder(BufReader::new(file), path)?;
    let (w, h) = decoder.dimensions();
    Ok(if turns_a_quarter(orientation) { (h, w) } else { (w, h) })
}

/// Reads a whole file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
}

/// Decodes whatever the bytes hold, upright.
pub(crate) fn decode_dynamic(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
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
    Ok(image)
}

fn turns_a_quarter(orientation: Orientation) -> bool {
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
