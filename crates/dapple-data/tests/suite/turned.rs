//! EXIF orientation: applied to images, and to masks that have none of their own.

use std::io::Cursor;

use crate::common::{grey_png, put};
use dapple_data::{Channels, Dataset, OpenOptions};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, ImageEncoder};
use tempfile::tempdir;

/// An EXIF block whose only entry is the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

/// A JPEG of a grey picture, 16 x 8 blocks of which the first is white, that is to be turned.
fn jpeg(orientation: Option<u8>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(orientation) = orientation {
        encoder.set_exif_metadata(exif(orientation)).unwrap();
    }
    encoder.encode_image(&DynamicImage::ImageLuma8(picture())).unwrap();
    bytes.into_inner()
}

/// 32 x 16, white in the upper left corner.
fn picture() -> GrayImage {
    GrayImage::from_fn(32, 16, |x, y| image::Luma([if x < 8 && y < 8 { 255 } else { 0 }]))
}

fn stored_mask() -> Vec<u8> {
    picture().pixels().map(|p| u8::from(p.0[0] > 0)).collect()
}

/// Image and labels agree everywhere, whatever the orientation.
fn check(image: &[u8], mask: &[u8], warned: bool) {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.jpg", image);
    put(root.path(), "masks/a.png", mask);
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    assert_eq!(!dataset.warnings().is_empty(), warned, "{:?}", dataset.warnings());
    let sample = dataset.load(0, Channels::Grey).unwrap();
    for (value, &label) in sample.image.data.iter().zip(&sample.labels.labels) {
        assert_eq!(*value > 128, label == 1);
    }
    let out = tempdir().unwrap();
    dataset.convert(out.path()).unwrap();
    let again = Dataset::open(out.path(), &OpenOptions::default()).unwrap();
    assert_eq!(again.load(0, Channels::Grey).unwrap(), sample);
}

#[test]
fn a_mask_without_orientation_is_turned_with_its_image() {
    for orientation in 1..=8 {
        let mask = grey_png(32, 16, &stored_mask());
        check(&jpeg(Some(orientation)), &mask, (2..=4).contains(&orientation));
    }
    check(&jpeg(None), &grey_png(32, 16, &stored_mask()), false);
}

#[test]
fn a_mask_drawn_on_the_upright_image_is_left_alone() {
    // Turned clockwise the white corner is in the upper right.
    let upright: Vec<u8> = (0..32 * 16).map(|i| u8::from(i % 16 >= 8 && i / 16 < 8)).collect();
    check(&jpeg(Some(6)), &grey_png(16, 32, &upright), false);
}

#[test]
fn a_mask_with_an_orientation_of_its_own() {
    let mut mask = Cursor::new(Vec::new());
    let mut encoder = image::codecs::png::PngEncoder::new(&mut mask);
    encoder.set_exif_metadata(exif(8)).unwrap();
    encoder.write_image(&stored_mask(), 32, 16, image::ExtendedColorType::L8).unwrap();
    check(&jpeg(Some(8)), &mask.into_inner(), false);
}
