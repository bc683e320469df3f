//! Decoding images, resizing and normalizing them.

use std::io::Cursor;

use crate::common::{png, rgb_png};
use dapple_base::write_atomic;
use dapple_data::{
    Channels, IMAGENET_MEAN, IMAGENET_STD, InputSettings, Normalization, Raster, decode_image_bytes, luma,
};
use image::{DynamicImage, ImageFormat, RgbImage};
use png::{BitDepth, ColorType};
use proptest::prelude::*;
use serde::Deserialize;
use tempfile::tempdir;

fn decode(bytes: &[u8], channels: usize) -> Raster {
    decode_image_bytes(bytes, "test", channels.into()).unwrap()
}

#[test]
fn channels_depths_and_alpha() {
    let sixteen = png(2, 1, ColorType::Grayscale, BitDepth::Sixteen, &[255, 255, 128, 0]);
    assert_eq!(decode(&sixteen, 1).data, [255, 128]);
    assert_eq!(decode(&sixteen, 3).data, [255, 255, 255, 128, 128, 128]);
    let alpha = png(2, 1, ColorType::Rgba, BitDepth::Eight, &[10, 20, 30, 0, 40, 50, 60, 255]);
    assert_eq!(decode(&alpha, 3).data, [10, 20, 30, 40, 50, 60]);
    assert_eq!(decode(&alpha, 1).data, [luma([10, 20, 30]), luma([40, 50, 60])]);
    assert_eq!([luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255]), luma([255; 3])], [76, 150, 29, 255]);
    let palette = png(2, 1, ColorType::Indexed, BitDepth::Eight, &[0, 4]);
    assert_eq!(decode(&palette, 3).data, [0, 255, 0, 4, 251, 2]);
    let one_bit = png(3, 1, ColorType::Grayscale, BitDepth::One, &[0b1010_0000]);
    assert_eq!(decode(&one_bit, 1).data, [255, 0, 255]);
}

#[test]
fn the_content_decides_the_format() {
    let raster = decode(&rgb_png(5, 4), 3);
    let image = DynamicImage::ImageRgb8(RgbImage::from_raw(5, 4, raster.data.clone()).unwrap());
    for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Pnm] {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        assert_eq!(
            decode_image_bytes(bytes.get_ref(), "wrong.jpg", Channels::Rgb).unwrap(),
            raster,
            "{format:?}"
        );
    }
}

/// A JPEG, 16 x 8, left half black and right half white, with the given EXIF orientation.
fn oriented_jpeg(orientation: u8) -> Vec<u8> {
    let data = (0..16 * 8 * 3).map(|i| if i / 3 % 16 < 8 { 0 } else { 255 }).collect();
    let image = DynamicImage::ImageRgb8(RgbImage::from_raw(16, 8, data).unwrap());
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let jpeg = bytes.into_inner();
    // An EXIF segment with a big-endian TIFF header and the one entry 0x0112 (orientation), a short.
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

#[test]
fn exif_orientation_is_applied() {
    for (orientation, width, dark_corner) in
        [(1, 16, (0, 0)), (3, 16, (15, 7)), (6, 8, (0, 0)), (8, 8, (0, 15))]
    {
        let raster = decode(&oriented_jpeg(orientation), 1);
        assert_eq!(raster.width, width, "orientation {orientation}");
        let at = |(x, y): (usize, usize)| raster.data[y * raster.width + x];
        let (x, y) = dark_corner;
        assert!(at(dark_corner) < 40, "orientation {orientation}");
        assert!(at((raster.width - 1 - x, raster.height - 1 - y)) > 215, "orientation {orientation}");
    }
}

#[derive(Deserialize)]
struct Golden {
    height: usize,
    width: usize,
    picture: Vec<u8>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

#[test]
fn resizing_agrees_with_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("golden/resize.json")).unwrap();
    let raster = Raster::new(golden.width, golden.height, 3, golden.picture);
    for case in golden.cases {
        let settings = InputSettings {
            normalization: Normalization::Unit,
            ..InputSettings::new(case.height, case.width)
        };
        let input = settings.prepare(raster.clone()).unwrap();
        for (ours, theirs) in input.iter().zip(&case.values) {
            // Both passes round to 8 bits.
            assert!((ours * 255.0 - theirs).abs() <= 1.1, "{} x {}", case.height, case.width);
        }
        assert_eq!(input.len(), case.values.len());
    }
}

#[test]
fn normalization() {
    let raster = Raster::new(2, 1, 3, vec![0, 51, 102, 204, 153, 100]);
    let prepare = |normalization, channels, raster: &Raster| {
        InputSettings { height: 1, width: 2, channels, normalization }.prepare(raster.clone()).unwrap()
    };
    let close =
        |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    let standard = |largest: f32| -> Vec<f32> {
        let of =
            |(i, &v): (usize, &u8)| (f32::from(v) / largest - IMAGENET_MEAN[i % 3]) / IMAGENET_STD[i % 3];
        raster.data.iter().enumerate().map(of).collect()
    };
    assert!(close(&prepare(Normalization::ImageNet, 3, &raster), &standard(255.0)));
    assert!(close(&prepare(Normalization::U2Net, 3, &raster), &standard(204.0)));
    let unit: Vec<f32> = raster.data.iter().map(|&v| f32::from(v) / 255.0).collect();
    assert!(close(&prepare(Normalization::Unit, 3, &raster), &unit));
    let grey = Raster::new(2, 1, 1, vec![0, 255]);
    assert!(close(&prepare(Normalization::ImageNet, 1, &grey), &[-0.449 / 0.226, (1.0 - 0.449) / 0.226]));
    assert!(close(&prepare(Normalization::U2Net, 1, &grey), &[-0.485 / 0.229, (1.0 - 0.485) / 0.229]));
    let black = Raster::new(2, 1, 3, vec![0; 6]);
    assert!(prepare(Normalization::U2Net, 3, &black).iter().all(|v| v.is_finite()));
}

#[test]
fn settings_are_checked_and_unknown_keys_refused() {
    let raster = Raster::new(1, 1, 3, vec![0; 3]);
    for settings in [
        InputSettings::new(0, 4),
        InputSettings::new(4, 1 << 20),
        InputSettings { channels: 4, ..InputSettings::new(4, 4) },
    ] {
        assert!(settings.prepare(raster.clone()).is_err());
    }
    let read = toml::from_str::<InputSettings>;
    assert_eq!(read("height = 8\nwidth = 9").unwrap(), InputSettings::new(8, 9));
    assert!(read("height = 8\nwidth = 9\nnormalise = 'u2net'").is_ok());
    assert!(read("height = 8\nwidth = 9\nnormalize = 'u2net'").is_err());
}

#[test]
fn atomic_writing_replaces_and_leaves_nothing_behind() {
    let root = tempdir().unwrap();
    let path = root.path().join("file.txt");
    write_atomic(&path, b"first").unwrap();
    write_atomic(&path, b"second").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"second");
    // A folder of this name cannot be replaced by a file.
    std::fs::create_dir(root.path().join("taken")).unwrap();
    let error = write_atomic(root.path().join("taken"), b"x").unwrap_err().to_string();
    assert!(error.contains("taken"), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
}

proptest! {
    #[test]
    fn any_size_can_be_prepared(w in 1_usize..40, h in 1_usize..40, to_w in 1_usize..40, to_h in 1_usize..40, grey: bool) {
        let channels = if grey { 1 } else { 3 };
        let raster = Raster::new(w, h, channels, vec![77; w * h * channels]);
        let settings = InputSettings { normalization: Normalization::Unit, ..InputSettings::new(to_h, to_w) };
        let input = settings.prepare(raster).unwrap();
        prop_assert_eq!(input.len(), to_h * to_w * 3);
        prop_assert!(input.iter().all(|&v| v == 77.0 / 255.0));
    }
}
