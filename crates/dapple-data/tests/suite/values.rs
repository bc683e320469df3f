//! Images of more than 8 bits: which of their values are black and white.

use std::path::Path;

use dapple_data::{
    Channels, Dataset, OpenOptions, Reading, SampleKind, SourceImages, ValueRange, decode_image_bytes,
    decode_photo_bytes,
};
use png::{BitDepth, ColorType};
use tempfile::tempdir;

use crate::common::{grey_png, png, put};
use crate::tiffs::Tiff;

const SIDE: u32 = 16;

fn words(value: impl Fn(u32) -> u16) -> Vec<u8> {
    let data: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| value(i).to_be_bytes()).collect();
    png(SIDE, SIDE, ColorType::Grayscale, BitDepth::Sixteen, &data)
}

fn floats(value: impl Fn(u32) -> f32) -> Vec<u8> {
    let data: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| value(i).to_le_bytes()).collect();
    Tiff { bits: 32, format: 3, ..Tiff::grey(SIDE, SIDE) }.file(&data)
}

/// Writes pairs of these images.
fn write(root: &Path, images: &[(&str, Vec<u8>)]) {
    let mask: Vec<u8> = (0..SIDE * SIDE).map(|i| (i % 2) as u8).collect();
    for (name, bytes) in images {
        put(root, &format!("images/{name}"), bytes);
        let stem = name.split('.').next().expect("a stem");
        put(root, &format!("masks/{stem}.png"), &grey_png(SIDE, SIDE, &mask));
    }
}

fn opened(images: &[(&str, Vec<u8>)]) -> Dataset {
    let root = tempdir().unwrap();
    write(root.path(), images);
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    // The files are read before the folder goes.
    for index in 0..dataset.len() {
        dataset.image(index, Channels::Grey).unwrap();
    }
    dataset
}

fn range_of(images: &[(&str, Vec<u8>)]) -> String {
    opened(images).images().range.to_string()
}

#[test]
fn sixteen_bit_frames_of_forty_levels_are_stretched_and_it_is_said() {
    let root = tempdir().unwrap();
    write(
        root.path(),
        &[("a.png", words(|i| 1000 + (i % 41) as u16)), ("b.png", words(|i| 1000 + (i % 31) as u16))],
    );
    let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    assert_eq!(dataset.images().range.to_string(), "1000..1040");
    assert_eq!(dataset.images().values, SampleKind::Uint(16));
    let warning = dataset.warnings().join("\n");
    assert!(warning.contains("1000..1040") && warning.contains("uint16"), "{warning}");
    let image = dataset.image(0, Channels::Grey).unwrap();
    assert_eq!([image.data[0], image.data[20], image.data[40]], [0, 128, 255]);

    // A decision is kept, and can be asked for.
    let asked = OpenOptions { value_range: Some("1000..2000".parse().unwrap()), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &asked).unwrap();
    assert_eq!(dataset.image(0, Channels::Grey).unwrap().data[40], 10);
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
}

#[test]
fn scales_that_images_fill_are_kept() {
    assert_eq!(range_of(&[("a.png", words(|i| (i * 256) as u16))]), "type");
    assert_eq!(range_of(&[("a.png", words(|i| (i * 15) as u16))]), "0..4095");
    assert_eq!(range_of(&[("a.tif", floats(|i| i as f32 / 255.0))]), "0..1");
    assert_eq!(range_of(&[("a.tif", floats(|i| i as f32))]), "0..255");
    assert_eq!(range_of(&[("a.tif", floats(|i| i as f32 - 200.0))]), "-200..55");
}

#[test]
fn values_of_bytes_in_a_wider_type_are_those_bytes() {
    let bytes: Vec<u8> = (0..SIDE * SIDE).map(|i| i as u8).collect();
    let longs: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| (i % 256).to_le_bytes()).collect();
    let longs = Tiff { bits: 32, ..Tiff::grey(SIDE, SIDE) }.file(&longs);
    for image in [longs, floats(|i| (i % 256) as f32), words(|i| (i % 256) as u16)] {
        let name = if image.starts_with(b"II") { "a.tif" } else { "a.png" };
        let root = tempdir().unwrap();
        write(root.path(), &[(name, image), ("b.png", grey_png(SIDE, SIDE, &bytes))]);
        let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
        assert_eq!(dataset.images().range.to_string(), "0..255");
        for index in 0..2 {
            assert_eq!(dataset.image(index, Channels::Grey).unwrap().data, bytes);
        }
    }
}

#[test]
fn images_of_bytes_are_as_they_were() {
    let dataset =
        opened(&[("a.png", grey_png(SIDE, SIDE, &[7; 256])), ("b.png", grey_png(SIDE, SIDE, &[9; 256]))]);
    assert_eq!(dataset.images().range, ValueRange::Type);
    assert_eq!(dataset.images().values, SampleKind::BYTE);
    assert_eq!((dataset.images().bands, dataset.images().size), (1, [16, 16]));
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
}

#[test]
fn types_of_different_scales_are_refused_with_both_ways() {
    let bytes = grey_png(SIDE, SIDE, &(0..=255).collect::<Vec<u8>>());
    let root = tempdir().unwrap();
    write(root.path(), &[("a.png", words(|i| 1000 + i as u16)), ("b.png", bytes)]);
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    for word in ["1 of uint8", "uint16 from 1000 to 1255", "--value-range type", "--value-range LOW..HIGH"] {
        assert!(error.contains(word), "no `{word}` in {error}");
    }
    // Full 16 bits beside 8 bits are each of their type.
    let full =
        range_of(&[("a.png", words(|i| (i * 257) as u16)), ("b.png", grey_png(SIDE, SIDE, &[3; 256]))]);
    assert_eq!(full, "type");
}

#[test]
fn a_model_reads_images_as_its_training_did_and_refuses_to_guess() {
    let trained = |values: SampleKind, range: &str| Reading {
        channels: Channels::Grey,
        range: range.parse().unwrap(),
        images: Some(SourceImages { values, bands: 1 }),
    };
    let read =
        |bytes: &[u8], reading: &Reading| decode_photo_bytes(bytes, "photo", reading).map(|p| p.raster.data);
    let dim = words(|i| 1000 + (i % 41) as u16);
    let stretched = read(&dim, &trained(SampleKind::Uint(16), "1000..1040")).unwrap();
    assert_eq!([stretched[0], stretched[40]], [0, 255]);

    let refused = |bytes: &[u8], reading: &Reading, words: &[&str]| {
        let error = read(bytes, reading).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    // Dim frames for a model of photographs, and photographs for a model of dim frames.
    let photographs = trained(SampleKind::BYTE, "type");
    refused(&dim, &photographs, &["1000 to 1040", "--value-range 1000..1040", "--value-range type"]);
    let bytes = grey_png(SIDE, SIDE, &[99; 256]);
    refused(
        &bytes,
        &trained(SampleKind::Uint(16), "1000..1040"),
        &["uint8", "1000 to 1040", "--value-range"],
    );
    refused(&floats(|i| i as f32 / 255.0), &photographs, &["float32", "--value-range 0..1"]);
    // Bright ones of 16 bits are as before, and a range that is given holds for all.
    assert!(read(&words(|i| (i * 257) as u16), &photographs).is_ok());
    let given = Reading { range: "1000..1040".parse().unwrap(), ..Channels::Grey.into() };
    assert_eq!(read(&dim, &given).unwrap(), stretched);
    // An image of another type on the scale of the training.
    assert!(
        read(&floats(|i| 1000.0 + (i % 41) as f32), &trained(SampleKind::Uint(16), "1000..1040")).is_ok()
    );
}

#[test]
fn types_of_all_widths_are_read() {
    let read = |tiff: Tiff, data: &[u8], range: &str| {
        let reading = Reading { range: range.parse().unwrap(), ..Channels::Grey.into() };
        decode_photo_bytes(&tiff.file(data), "a.tif", &reading).unwrap().raster.data
    };
    let row = |bits: u16, format: u16| Tiff { bits, format, ..Tiff::grey(4, 1) };
    // 1, 2 and 4 bits by their type, 12 bits by theirs.
    assert_eq!(read(row(1, 1), &[0b1010_0000], "type"), [255, 0, 255, 0]);
    assert_eq!(read(row(2, 1), &[0b0001_1011], "type"), [0, 85, 170, 255]);
    assert_eq!(read(row(4, 1), &[0x0f, 0x5a], "type"), [0, 255, 85, 170]);
    assert_eq!(read(row(12, 1), &[0x00, 0x0f, 0xff, 0x80, 0x04, 0x00], "type"), [0, 255, 128, 64]);
    let bytes = |values: &[i16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    assert_eq!(read(row(16, 2), &bytes(&[-100, 0, 100, 155]), "-100..155"), [0, 100, 200, 255]);
    let doubles: Vec<u8> = [0.0, 0.5, 1.0, f64::NAN].iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
    assert_eq!(read(row(64, 3), &doubles, "0..1"), [0, 128, 255, 0]);
    // Without a range, numbers whose type has no white are refused.
    let error = decode_image_bytes(&row(16, 2).file(&bytes(&[-100, 0, 100, 155])), "a.tif", Channels::Grey);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("int16 from -100 to 155") && error.contains("--value-range"), "{error}");
}

#[test]
fn pnm_files_are_white_at_the_value_that_they_name() {
    let read = |text: &str| decode_image_bytes(text.as_bytes(), "a.pgm", Channels::Grey).unwrap().data;
    assert_eq!(read("P2\n# made by hand\n3 1\n15\n0 5 15\n"), [0, 85, 255]);
    assert_eq!(read("P2\n3 1 4095 0 2048 4095\n"), [0, 128, 255]);
    assert_eq!(read("P2\n3 1 255 0 5 15\n"), [0, 5, 15]);
}
