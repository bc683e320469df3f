//! Class masks saved as JPEG: no classes are made of what compression adds.

use std::io::Cursor;

use crate::common::{grey_png, put, rgb_png};
use dapple_data::{Dataset, Format, OpenOptions};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use tempfile::{TempDir, tempdir};

const LEVELS: [u8; 4] = [0, 60, 120, 180];

/// The class at a place: four quarters.
fn class(x: u32, y: u32) -> usize {
    usize::from(x >= 29) + 2 * usize::from(y >= 30)
}

fn jpeg(picture: DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&picture).unwrap();
    bytes.into_inner()
}

fn folder(file: &str, mask: &[u8]) -> TempDir {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.png", &rgb_png(64, 64));
    put(root.path(), &format!("masks/{file}"), mask);
    root
}

fn open(root: &TempDir, classes: Option<usize>) -> dapple_data::Result<Dataset> {
    Dataset::open(root.path(), &OpenOptions { classes, ..OpenOptions::default() })
}

/// How many pixels have not the class that was drawn.
fn wrong(dataset: &Dataset) -> usize {
    let labels = dataset.labels(0).unwrap().labels;
    let counted: Vec<(u8, u64)> = (0..4)
        .map(|label| (label, labels.iter().filter(|&&l| l == label).count() as u64))
        .filter(|count| count.1 > 0)
        .collect();
    assert_eq!(dataset.label_counts(0), counted);
    let drawn = (0..64 * 64).map(|i| class(i % 64, i / 64));
    labels.iter().zip(drawn).filter(|(label, drawn)| usize::from(**label) != *drawn).count()
}

#[test]
fn jpeg_masks_of_levels_need_the_number_of_classes_and_are_snapped() {
    let grey = GrayImage::from_fn(64, 64, |x, y| Luma([LEVELS[class(x, y)]]));
    let root = folder("a.jpg", &jpeg(DynamicImage::ImageLuma8(grey)));
    let error = open(&root, None).unwrap_err().to_string();
    for part in ["JPEG", "a.jpg", "number of classes", "from"] {
        assert!(error.contains(part), "{error}");
    }
    let dataset = open(&root, Some(4)).unwrap();
    assert!(wrong(&dataset) < 40, "{}", wrong(&dataset));
    let warnings = dataset.warnings().join("\n");
    assert!(warnings.contains("0, 60, 120, 180") && warnings.contains("% of their pixels"), "{warnings}");
    // The same with the values of a table.
    let table = LEVELS.map(|v| format!("[[class]]\nname = '{v}'\nfrom = [{v}]\n")).concat();
    put(root.path(), "classes.toml", table.as_bytes());
    assert!(wrong(&open(&root, None).unwrap()) < 40);
}

#[test]
fn jpeg_masks_in_colours_take_the_nearest_of_a_table() {
    let colours = [[0, 0, 0], [200, 30, 30], [30, 200, 30], [30, 30, 200]];
    let picture = RgbImage::from_fn(64, 64, |x, y| Rgb(colours[class(x, y)]));
    let root = folder("a.jpg", &jpeg(DynamicImage::ImageRgb8(picture)));
    for format in [None, Some(Format::Colours)] {
        let error = Dataset::open(root.path(), &OpenOptions { format, ..OpenOptions::default() });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("JPEG") && error.contains("classes.txt"), "{error}");
    }
    put(root.path(), "classes.txt", b"a 0 0 0\nb 200 30 30\nc 30 200 30\nd 30 30 200\n");
    let dataset = open(&root, None).unwrap();
    assert!(wrong(&dataset) < 200, "{}", wrong(&dataset));
    assert!(dataset.warnings()[0].contains("nearest class"), "{:?}", dataset.warnings());
}

/// A lossy WebP, 64 x 64, of the classes above in the greys 0, 60, 120, 180 (made with Pillow 11.1, quality 80).
#[test]
fn lossy_webp_masks_are_told_from_lossless_ones() {
    let lossy = include_bytes!("../data/levels.webp");
    let root = folder("a.webp", lossy);
    let error = open(&root, None).unwrap_err().to_string();
    assert!(error.contains("WebP"), "{error}");
    assert!(wrong(&open(&root, Some(4)).unwrap()) < 80);
    let grey = GrayImage::from_fn(64, 64, |x, y| Luma([class(x, y) as u8]));
    let mut lossless = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(grey).write_to(&mut lossless, image::ImageFormat::WebP).unwrap();
    let root = folder("a.webp", lossless.get_ref());
    assert_eq!(wrong(&open(&root, None).unwrap()), 0);
}

#[test]
fn soft_masks_among_masks_of_0_and_1_are_refused() {
    let disc = GrayImage::from_fn(64, 64, |x, y| {
        Luma([if (f64::from(x) - 32.0).hypot(f64::from(y) - 32.0) < 20.0 { 255 } else { 0 }])
    });
    let root = folder("a.jpg", &jpeg(DynamicImage::ImageLuma8(disc)));
    put(root.path(), "images/b.png", &rgb_png(64, 64));
    let ones: Vec<u8> = (0..64 * 64).map(|i| u8::from(i % 64 < 9)).collect();
    put(root.path(), "masks/b.png", &grey_png(64, 64, &ones));
    let error = open(&root, None).unwrap_err().to_string();
    assert!(error.contains("b.png") && error.contains("0 and 1"), "{error}");
}
