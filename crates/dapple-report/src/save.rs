//! Pictures as PNG and JPEG files.

use std::io::Cursor;
use std::path::Path;

use dapple_base::write_atomic;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ImageBuffer, ImageError, PixelWithColorType, RgbImage};

use crate::ReportError;

/// Writes an 8-bit image (RGB or grey) as a PNG file, complete or not at all.
///
/// # Errors
/// [`ReportError::Encode`] for an image without pixels, [`ReportError::Write`] if the folder is missing or not writable.
pub fn save_png<P>(image: &ImageBuffer<P, Vec<u8>>, path: &Path) -> Result<(), ReportError>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let bytes = encode_png(image).map_err(|source| ReportError::Encode { path: path.to_owned(), source })?;
    Ok(write_atomic(path, &bytes)?)
}

/// An 8-bit image (RGB or grey) as the bytes of a PNG file.
///
/// # Errors
/// For an image without pixels.
pub fn encode_png<P>(image: &ImageBuffer<P, Vec<u8>>) -> Result<Vec<u8>, ImageError>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let mut bytes = Cursor::new(Vec::new());
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    image.write_with_encoder(encoder)?;
    Ok(bytes.into_inner())
}

/// An image as the bytes of a JPEG file, for photographs in pages.
///
/// # Errors
/// For an image without pixels, or with more than 65535 on a side.
pub fn encode_jpeg(image: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 85))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage};

    #[test]
    fn a_saved_image_reads_back_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let image = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let path = folder.path().join("picture.png");
        save_png(&image, &path).expect("the first write");
        save_png(&image, &path).expect("overwriting");
        assert_eq!(image::open(&path).expect("a PNG").to_rgb8(), image);
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_grey_image_stays_grey() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("labels.png");
        save_png(&GrayImage::from_pixel(2, 2, image::Luma([11])), &path).expect("a write");
        assert_eq!(image::open(&path).expect("a PNG").color(), image::ColorType::L8);
    }

    #[test]
    fn a_missing_folder_and_an_empty_image_are_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let missing = folder.path().join("absent").join("picture.png");
        let message = save_png(&RgbImage::new(1, 1), &missing).expect_err("no such folder").to_string();
        assert!(message.contains("picture.png"), "{message}");
        assert!(save_png(&RgbImage::new(0, 0), &folder.path().join("empty.png")).is_err());
    }
}
