//! Decoding masks of every kind, and deciding what their values mean.

use std::io::Cursor;
use std::path::Path;

use crate::common::{grey_png, png, put, put_pair};
use dapple_data::{
    DataError, Dataset, LabelCoding, OpenOptions, decode_labels, decode_values, encode_indexed_png,
    write_indexed_png,
};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use png::{BitDepth, ColorType};
use proptest::prelude::*;
use tempfile::tempdir;

fn values_of(bytes: &[u8]) -> dapple_data::Result<Vec<u16>> {
    let root = tempdir().unwrap();
    put(root.path(), "mask.png", bytes);
    decode_values(root.path().join("mask.png")).map(|mask| mask.values)
}

#[test]
fn palettes_give_indices_at_every_depth() {
    assert_eq!(
        values_of(&png(3, 1, ColorType::Indexed, BitDepth::Eight, &[0, 255, 7])).unwrap(),
        [0, 255, 7]
    );
    assert_eq!(values_of(&png(3, 1, ColorType::Indexed, BitDepth::Four, &[0x0f, 0x70])).unwrap(), [0, 15, 7]);
    assert_eq!(
        values_of(&png(3, 1, ColorType::Indexed, BitDepth::Two, &[0b00_11_01_00])).unwrap(),
        [0, 3, 1]
    );
    assert_eq!(values_of(&png(9, 1, ColorType::Indexed, BitDepth::One, &[0x81, 0x80])).unwrap()[7..], [1, 1]);
}

#[test]
fn greys_are_not_stretched() {
    assert_eq!(values_of(&grey_png(3, 1, &[0, 1, 255])).unwrap(), [0, 1, 255]);
    assert_eq!(
        values_of(&png(3, 1, ColorType::Grayscale, BitDepth::Four, &[0x1f, 0x20])).unwrap(),
        [1, 15, 2]
    );
    assert_eq!(
        values_of(&png(2, 1, ColorType::Grayscale, BitDepth::Sixteen, &[1, 0, 0, 3])).unwrap(),
        [256, 3]
    );
    assert_eq!(
        values_of(&png(2, 1, ColorType::GrayscaleAlpha, BitDepth::Eight, &[4, 0, 5, 255])).unwrap(),
        [4, 5]
    );
}

#[test]
fn colour_pictures_pass_if_they_are_grey() {
    let grey = png(2, 1, ColorType::Rgb, BitDepth::Eight, &[3, 3, 3, 9, 9, 9]);
    assert_eq!(values_of(&grey).unwrap(), [3, 9]);
    let alpha = png(1, 2, ColorType::Rgba, BitDepth::Eight, &[3, 3, 3, 0, 9, 9, 9, 1]);
    assert_eq!(values_of(&alpha).unwrap(), [3, 9]);
    let colour = png(2, 1, ColorType::Rgb, BitDepth::Eight, &[3, 3, 3, 9, 9, 8]);
    let error = values_of(&colour).unwrap_err();
    assert!(matches!(error, DataError::ColourMask { x: 1, y: 0, r: 9, g: 9, b: 8, .. }));
    assert!(error.to_string().contains("palette PNG"));
}

#[test]
fn other_formats() {
    let grey = DynamicImage::ImageLuma8(GrayImage::from_raw(2, 2, vec![0, 1, 2, 3]).unwrap());
    let colour = DynamicImage::ImageRgb8(RgbImage::from_raw(1, 2, vec![5, 5, 5, 6, 6, 6]).unwrap());
    for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Pnm, ImageFormat::WebP] {
        let mut bytes = Cursor::new(Vec::new());
        grey.write_to(&mut bytes, format).unwrap();
        assert_eq!(values_of(bytes.get_ref()).unwrap(), [0, 1, 2, 3], "{format:?}");
        let mut bytes = Cursor::new(Vec::new());
        colour.write_to(&mut bytes, format).unwrap();
        assert_eq!(values_of(bytes.get_ref()).unwrap(), [5, 6], "{format:?}");
    }
}

/// Opens one pair of which the mask has the given values.
fn open(values: &[u8], options: OpenOptions) -> dapple_data::Result<(LabelCoding, usize)> {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", values);
    let dataset = Dataset::open(root.path(), &options)?;
    Ok((dataset.coding(), dataset.classes().len()))
}

#[test]
fn codings_found_from_the_values() {
    let none = OpenOptions::default;
    let ignore = |label| OpenOptions { ignore: Some(label), ..none() };
    let classes = |n| OpenOptions { classes: Some(n), ..none() };
    let binary = |background, foreground| LabelCoding::Binary { background, foreground };
    let indices = LabelCoding::Indices;
    for (values, options, expected) in [
        (&[0, 1][..], none(), (indices, 2)),
        (&[0, 255], none(), (binary(0, 255), 2)),
        (&[0, 255], classes(2), (binary(0, 255), 2)),
        (&[0, 15], none(), (binary(0, 15), 2)),
        (&[0, 128, 255], ignore(128), (binary(0, 255), 2)),
        (&[0, 1, 255], ignore(255), (indices, 2)),
        (&[0, 1, 2, 3, 4, 5], none(), (indices, 6)),
        (&[0, 1, 2, 11], ignore(11), (indices, 3)),
        (&[0, 2, 3, 5], none(), (indices, 6)),
        (&[0, 15, 20], classes(21), (indices, 21)),
        (&[0], classes(3), (indices, 3)),
        (
            &[0, 15, 200],
            OpenOptions { coding: Some(LabelCoding::Threshold(128)), ..none() },
            (LabelCoding::Threshold(128), 2),
        ),
    ] {
        assert_eq!(open(values, options.clone()).unwrap(), expected, "{values:?} {options:?}");
    }
    for (values, advice) in [
        (&[0, 1, 255][..], "the ignore label"),
        (&[0, 15, 20], "give the number of classes"),
        (&[0], "nothing to learn"),
    ] {
        let error = open(values, none()).unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
    }
    let error = open(&[0, 1, 9], classes(3)).unwrap_err().to_string();
    assert!(error.contains("a.png") && error.contains("value 9") && error.contains("0 to 2"), "{error}");
    for count in [0, 1, 257] {
        assert!(matches!(open(&[0, 1], classes(count)), Err(DataError::Setting { .. })));
    }
}

#[test]
fn soft_masks_are_told_from_classes() {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.png", &grey_png(256, 1, &[0; 256]));
    let soft: Vec<u8> = (0..=255).collect();
    put(root.path(), "masks/a.png", &grey_png(256, 1, &soft));
    let options = OpenOptions { coding: Some(LabelCoding::Threshold(128)), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &options).unwrap();
    let labels = dataset.labels(0).unwrap().labels;
    assert!(labels[..128].iter().all(|&l| l == 0) && labels[128..].iter().all(|&l| l == 1));
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    assert!(error.contains("threshold"), "{error}");
}

#[test]
fn sixteen_bit_masks_up_to_255_classes() {
    let root = tempdir().unwrap();
    put(root.path(), "m.png", &png(2, 1, ColorType::Grayscale, BitDepth::Sixteen, &[0, 200, 1, 44]));
    let path = root.path().join("m.png");
    let error = decode_labels(&path, LabelCoding::Indices, 256, None).unwrap_err();
    assert!(matches!(error, DataError::MaskValue { value: 300, .. }));
    let two = LabelCoding::Binary { background: 200, foreground: 300 };
    assert_eq!(decode_labels(&path, two, 2, None).unwrap().labels, [0, 1]);
}

#[test]
fn indexed_png_refuses_what_does_not_fit() {
    assert!(matches!(encode_indexed_png(2, 2, &[0; 3], &[]), Err(DataError::Setting { .. })));
    assert!(matches!(encode_indexed_png(0, 2, &[], &[]), Err(DataError::Setting { .. })));
    assert!(matches!(encode_indexed_png(1, 1, &[0], &[[0; 3]; 257]), Err(DataError::Setting { .. })));
    let absent = Path::new("no/such/folder/mask.png");
    assert!(matches!(write_indexed_png(absent, 1, 1, &[0], &[]), Err(DataError::Write(_))));
}

proptest! {
    #[test]
    fn indexed_png_round_trip(width in 1_u32..20, height in 1_u32..20, palette in 0_usize..256, seed in any::<u64>()) {
        let labels: Vec<u8> =
            (0..u64::from(width * height)).map(|i| (seed.wrapping_mul(2 * i + 1) >> 40) as u8).collect();
        let bytes = encode_indexed_png(width, height, &labels, &vec![[1, 2, 3]; palette]).unwrap();
        let values = values_of(&bytes).unwrap();
        prop_assert!(values.iter().zip(&labels).all(|(&v, &l)| v == u16::from(l)));
    }
}
