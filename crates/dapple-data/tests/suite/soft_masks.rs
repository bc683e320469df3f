//! Masks with soft borders and masks saved as JPEG.

use std::io::Cursor;

use crate::common::{grey_png, put, rgb_png};
use dapple_data::{Dataset, LabelCoding, OpenOptions};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, Luma};
use tempfile::{TempDir, tempdir};

fn disc(levels: impl Fn(f64) -> u8) -> GrayImage {
    GrayImage::from_fn(64, 64, |x, y| {
        let distance = (f64::from(x) - 32.0).hypot(f64::from(y) - 32.0);
        Luma([levels(distance)])
    })
}

fn jpeg(picture: DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(&picture).unwrap();
    bytes.into_inner()
}

fn folder(mask: &str, bytes: &[u8]) -> TempDir {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.png", &rgb_png(64, 64));
    put(root.path(), mask, bytes);
    root
}

#[test]
fn jpeg_masks_of_two_classes_are_thresholded_with_a_warning() {
    let sharp = disc(|distance| if distance < 20.0 { 255 } else { 0 });
    for picture in [
        DynamicImage::ImageLuma8(sharp.clone()),
        DynamicImage::ImageRgb8(DynamicImage::ImageLuma8(sharp.clone()).into_rgb8()),
    ] {
        let root = folder("masks/a.jpg", &jpeg(picture));
        let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
        assert_eq!(dataset.coding(), LabelCoding::Threshold(128));
        assert!(dataset.warnings()[0].contains("grey values"), "{:?}", dataset.warnings());
        let labels = dataset.labels(0).unwrap().labels;
        let wrong = labels.iter().zip(sharp.pixels()).filter(|(l, p)| (**l == 1) != (p.0[0] == 255)).count();
        assert!(wrong < 20, "{wrong} of 4096 pixels differ from the mask before compression");
    }
}

#[test]
fn png_masks_with_smoothed_borders() {
    let smooth = disc(|distance| ((22.0 - distance) * 64.0).clamp(0.0, 255.0) as u8);
    let root = folder("masks/a.png", &grey_png(64, 64, smooth.as_raw()));
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    assert_eq!((dataset.coding(), dataset.warnings().len()), (LabelCoding::Threshold(128), 1));
}

#[test]
fn jpeg_masks_of_many_classes_are_doubtful() {
    let bands = GrayImage::from_fn(64, 64, |x, _| Luma([(x / 8) as u8]));
    let root = folder("masks/a.jpg", &jpeg(DynamicImage::ImageLuma8(bands)));
    let options = OpenOptions { classes: Some(32), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &options).unwrap();
    assert!(dataset.warnings()[0].contains("JPEG"), "{:?}", dataset.warnings());
}

#[test]
fn sixteen_bit_masks_of_black_and_white() {
    let data: Vec<u8> = (0..64 * 64).flat_map(|i| if i % 3 == 0 { [255, 255] } else { [0, 0] }).collect();
    let png = crate::common::png(64, 64, png::ColorType::Grayscale, png::BitDepth::Sixteen, &data);
    let root = folder("masks/a.png", &png);
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    assert_eq!(dataset.coding(), LabelCoding::Binary { background: 0, foreground: u16::MAX });
    assert_eq!(dataset.labels(0).unwrap().labels[..4], [1, 0, 0, 1]);
}
