//! Photographs for the page.

use std::path::Path;

use dapple_base::{Normalization, read_regular};
use dapple_data::{
    Channels, DataError, FILE_LIMIT_BYTES, InputSettings, Raster, decode_image_bytes, is_turned,
};
use dapple_report::{RgbImage, encode_jpeg};

use crate::error::{Result, StudioError};

/// The kinds of files that browsers show as they are, by their first bytes.
const SHOWN: [(&[u8], &str); 2] = [(b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png")];

/// A photograph upright, at most so wide, with its media type.
pub(super) fn picture(path: &Path, width: Option<usize>) -> Result<(&'static str, Vec<u8>)> {
    let bytes = read_regular(path, FILE_LIMIT_BYTES)
        .map_err(|source| StudioError::Read { path: path.to_owned(), source })?;
    let kind = SHOWN.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
    if let (Some(kind), None) = (kind, width)
        && !is_turned(path)?
    {
        return Ok((kind, bytes));
    }
    let image = decode_image_bytes(&bytes, path, Channels::Rgb)?;
    drop(bytes);
    let image = match width.filter(|&width| width < image.width) {
        Some(width) => resized(image, width)?,
        None => image,
    };
    let (width, height) = (image.width as u32, image.height as u32);
    let unsuitable =
        || StudioError::refused(format!("{}: no JPEG holds a picture of this size", path.display()));
    let pixels = RgbImage::from_raw(width, height, image.data).ok_or_else(unsuitable)?;
    Ok(("image/jpeg", encode_jpeg(&pixels).map_err(|_| unsuitable())?))
}

fn resized(image: Raster, width: usize) -> std::result::Result<Raster, DataError> {
    let width = width.max(1);
    let height = (image.height * width / image.width).max(1);
    let input = InputSettings { normalization: Normalization::Unit, ..InputSettings::new(height, width) };
    let values = input.prepare(image)?;
    let data = values.into_iter().map(|value| (value * 255.0).round() as u8).collect();
    Ok(Raster::new(width, height, 3, data))
}
