//! Damaged, lying and odd files: errors that name the file, never a panic or an exhausted memory.

use std::io::Cursor;

use crate::common::{grey_png, put, put_pair, rgb_png};
use dapple_data::{
    Channels, DataError, Dataset, OpenOptions, decode_image, decode_image_bytes, decode_values,
};
use image::{DynamicImage, ImageFormat, RgbImage};
use proptest::prelude::*;
use tempfile::tempdir;

fn encoded(format: ImageFormat) -> Vec<u8> {
    let data = (0..24 * 16 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let image = DynamicImage::ImageRgb8(RgbImage::from_raw(24, 16, data).unwrap());
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::WebP,
    ImageFormat::Pnm,
];

#[test]
fn truncated_files_of_every_format_are_errors() {
    for format in FORMATS {
        let bytes = encoded(format);
        assert!(decode_image_bytes(&bytes, "whole", Channels::Rgb).is_ok(), "{format:?}");
        for part in [0, 1, 5, 20, bytes.len() / 2, bytes.len() * 9 / 10] {
            let error = decode_image_bytes(&bytes[..part], "cut.img", Channels::Rgb).unwrap_err();
            assert!(matches!(error, DataError::Decode { .. }), "{format:?} at {part}: {error}");
            assert!(error.to_string().starts_with("cut.img: "), "{error}");
        }
    }
}

#[test]
fn a_thumbnail_does_not_hide_that_a_jpeg_is_cut() {
    let jpeg = encoded(ImageFormat::Jpeg);
    // An application segment that holds a whole JPEG, as cameras write it.
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe5];
    bytes.extend(((jpeg.len() + 2) as u16).to_be_bytes());
    bytes.extend(&jpeg);
    bytes.extend(&jpeg[2..]);
    assert!(decode_image_bytes(&bytes, "photo.jpg", Channels::Rgb).is_ok());
    bytes.truncate(bytes.len() - 40);
    assert!(
        decode_image_bytes(&bytes, "photo.jpg", Channels::Rgb).unwrap_err().to_string().contains("truncated")
    );
}

/// A PNG whose header claims the given size, with a right checksum.
fn lying_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = grey_png(4, 3, &[0; 12]);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = !0_u32;
    for &byte in &bytes[12..29] {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        }
    }
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

#[test]
fn a_colour_profile_that_expands_a_thousandfold_is_left_out() {
    let mut info = png::Info::with_size(4, 3);
    info.icc_profile = Some(vec![0; 128 << 20].into());
    let mut bytes = Vec::new();
    let encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&[7; 12])).unwrap();
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    let photo = dapple_data::decode_photo_bytes(&bytes, "bomb.png", &Channels::Grey.into()).unwrap();
    assert_eq!((photo.raster.data, photo.icc), (vec![7; 12], None));
    let root = tempdir().unwrap();
    put(root.path(), "bomb.png", &bytes);
    assert_eq!(dapple_data::colour_profile(root.path().join("bomb.png")).unwrap(), None);
}

#[test]
fn huge_sizes_in_headers_are_refused_before_memory_is_taken() {
    let mut jpeg = encoded(ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    let mut bmp = encoded(ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&1_000_000_i32.to_le_bytes());
    bmp[22..26].copy_from_slice(&1_000_000_i32.to_le_bytes());
    let files = [
        ("png", lying_png(60_000, 60_000)),
        ("widest.png", lying_png(0x7fff_ffff, 0x7fff_ffff)),
        ("jpeg", jpeg),
        ("bmp", bmp),
        ("pnm", b"P6 1000000 1000000 255\n123".to_vec()),
    ];
    let root = tempdir().unwrap();
    for (name, bytes) in files {
        let error = decode_image_bytes(&bytes, name, Channels::Rgb).unwrap_err();
        assert!(matches!(error, DataError::TooLarge { .. } | DataError::Decode { .. }), "{error}");
        put(root.path(), name, &bytes);
        assert!(decode_values(root.path().join(name)).is_err(), "{name}");
    }
    let error = decode_image_bytes(&lying_png(60_000, 60_000), "big.png", Channels::Rgb).unwrap_err();
    assert!(matches!(error, DataError::TooLarge { width: 60_000, .. }), "{error}");
}

#[test]
fn empty_and_foreign_files() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", &[0, 1]);
    put_pair(root.path(), "images/b.png", "masks/b.png", &[0, 1]);
    put(root.path(), "images/b.png", b"");
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("b.png"), "{error}");
    put(root.path(), "images/b.png", b"<!doctype html> this is no picture");
    let skipping = OpenOptions { skip_bad: true, ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &skipping).unwrap();
    assert_eq!((dataset.len(), dataset.skipped().len()), (1, 1));
}

#[test]
fn a_damaged_image_with_a_good_header_is_found_when_skipping_and_named_when_loading() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", &[0, 1]);
    put_pair(root.path(), "images/b.png", "masks/b.png", &[0, 1]);
    let whole = rgb_png(4, 3);
    put(root.path(), "images/b.png", &whole[..whole.len() - 30]);
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    let error = dataset.load(1, Channels::Rgb).unwrap_err().to_string();
    assert!(error.contains("images") && error.contains("b.png"), "{error}");
    let skipping = OpenOptions { skip_bad: true, ..OpenOptions::default() };
    assert_eq!(Dataset::open(root.path(), &skipping).unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_and_links_in_circles() {
    use std::ffi::OsStr;
    use std::os::unix::{ffi::OsStrExt, fs::symlink};

    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", &[0, 1]);
    symlink("circle", root.path().join("circle")).unwrap();
    symlink("..", root.path().join("images/up")).unwrap();
    assert_eq!(Dataset::open(root.path(), &OpenOptions::default()).unwrap().len(), 1);

    symlink("b.png", root.path().join("images/b.png")).unwrap();
    put(root.path(), "masks/b.png", &grey_png(4, 3, &[0; 12]));
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(&error, DataError::Read { path, .. } if path.ends_with("images/b.png")), "{error}");
    let skipping = OpenOptions { skip_bad: true, ..OpenOptions::default() };
    assert_eq!(Dataset::open(root.path(), &skipping).unwrap().len(), 1);

    let name = OsStr::from_bytes(b"images/\xff\xfe.png");
    if std::fs::write(root.path().join(name), rgb_png(4, 3)).is_ok() {
        std::fs::remove_file(root.path().join("images/b.png")).unwrap();
        std::fs::remove_file(root.path().join("masks/b.png")).unwrap();
        let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err();
        assert!(matches!(error, DataError::NameNotUtf8 { .. }), "{error}");
        assert_eq!(Dataset::open(root.path(), &skipping).unwrap().skipped().len(), 1);
    }
}

#[test]
fn absent_files_and_folders_in_place_of_files() {
    let root = tempdir().unwrap();
    assert!(matches!(decode_image(root.path().join("none.png")), Err(DataError::Read { .. })));
    assert!(matches!(decode_image(root.path()), Err(DataError::Read { .. })));
    assert!(matches!(decode_image_bytes(&[], "x", Channels::First(0)), Err(DataError::Setting { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever bytes are changed, decoding ends with an image or an error.
    #[test]
    fn changed_bytes_never_panic(
        format in 0..FORMATS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = encoded(FORMATS[format]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = decode_image_bytes(&bytes, "changed", Channels::Rgb);
        let root = tempdir().unwrap();
        put(root.path(), "changed", &bytes);
        let _ = decode_values(root.path().join("changed"));
    }
}
