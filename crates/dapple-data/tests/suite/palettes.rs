//! Palette masks whose indices differ from file to file or from the classes: colours decide, or the folder is refused.

use crate::common::{grey_png, palette_png, png, put, rgb_mask_png, rgb_png};
use dapple_data::{Dataset, Format, OpenOptions};
use png::{BitDepth, ColorType};
use tempfile::{TempDir, tempdir};

const BLACK_WHITE: [u8; 6] = [0, 0, 0, 255, 255, 255];
const WHITE_BLACK: [u8; 6] = [255, 255, 255, 0, 0, 0];
/// Black, red, green and the same in other orders.
const BLACK_RED_GREEN: [u8; 9] = [0, 0, 0, 200, 0, 0, 0, 200, 0];
const RED_BLACK_GREEN: [u8; 9] = [200, 0, 0, 0, 0, 0, 0, 200, 0];
const BLACK_GREEN_RED: [u8; 9] = [0, 0, 0, 0, 200, 0, 200, 0, 0];

/// Adds a pair whose mask is `bytes`.
fn pair(root: &TempDir, name: &str, bytes: &[u8]) {
    put(root.path(), &format!("images/{name}.png"), &rgb_png(4, 3));
    put(root.path(), &format!("masks/{name}.png"), bytes);
}

/// A 4 x 3 palette mask that begins with `indices`, the rest of it the first of them.
fn mask(indices: &[u8], palette: &[u8]) -> Vec<u8> {
    let mut all = indices.to_vec();
    all.resize(12, indices[0]);
    palette_png(4, 3, &all, palette)
}

fn open(root: &TempDir) -> dapple_data::Result<Dataset> {
    Dataset::open(root.path(), &OpenOptions::default())
}

fn labels(dataset: &Dataset, index: usize) -> Vec<u8> {
    let labels = dataset.labels(index).unwrap().labels;
    let mut counts: Vec<(u8, u64)> = Vec::new();
    for label in 0..=255 {
        let n = labels.iter().filter(|&&l| l == label).count() as u64;
        counts.extend((n > 0).then_some((label, n)));
    }
    assert_eq!(dataset.label_counts(index), counts, "the counts of opening are those of the labels");
    labels
}

#[test]
fn black_and_white_palettes_in_both_orders_show_the_same_mask() {
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[0, 1, 1], &BLACK_WHITE));
    pair(&root, "b", &mask(&[1, 0, 0], &WHITE_BLACK));
    let dataset = open(&root).unwrap();
    assert_eq!(labels(&dataset, 0), labels(&dataset, 1));
    assert_eq!(labels(&dataset, 0)[..4], [0, 1, 1, 0]);
    assert!(dataset.warnings().iter().any(|w| w.contains("greys")), "{:?}", dataset.warnings());
}

#[test]
fn a_palette_of_white_and_black_alone_goes_by_its_greys() {
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[1, 0], &WHITE_BLACK));
    pair(&root, "b", &mask(&[1, 1], &WHITE_BLACK));
    let dataset = open(&root).unwrap();
    assert_eq!(labels(&dataset, 0)[..3], [0, 1, 0]);
    assert_eq!(labels(&dataset, 1), [0; 12]);
}

#[test]
fn greys_that_rise_with_the_index_stay_indices() {
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[0, 1, 2], &[0, 0, 0, 85, 85, 85, 170, 170, 170]));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..4], [0, 1, 2, 0]);
    // Beside grey masks of 0 and 255, a palette of black and white means the same.
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[0, 1], &BLACK_WHITE));
    pair(&root, "b", &grey_png(4, 3, &[255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    let dataset = open(&root).unwrap();
    assert_eq!(labels(&dataset, 0)[..2], [0, 1]);
    assert_eq!(labels(&dataset, 1)[..2], [1, 0]);
}

#[test]
fn one_palette_of_colours_for_all_files_gives_indices() {
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[0, 1, 2], &RED_BLACK_GREEN));
    pair(&root, "b", &mask(&[2, 1], &RED_BLACK_GREEN));
    let dataset = open(&root).unwrap();
    assert_eq!(labels(&dataset, 0)[..3], [0, 1, 2]);
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
    // Also where every unused entry is black, as in palettes that were cut off.
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[0, 1], &[0; 9]));
    pair(&root, "b", &mask(&[0, 2], &[0; 9]));
    assert_eq!(labels(&open(&root).unwrap(), 1)[..3], [0, 2, 0]);
}

#[test]
fn palettes_of_colours_that_differ_are_refused_without_a_table() {
    for second in [RED_BLACK_GREEN, BLACK_GREEN_RED] {
        let root = tempdir().unwrap();
        pair(&root, "a", &mask(&[0, 1, 2], &BLACK_RED_GREEN));
        pair(&root, "b", &mask(&[0, 1, 2], &second));
        let error = open(&root).unwrap_err().to_string();
        for part in ["palettes of the masks differ", "a.png", "b.png", "classes.txt", "200 0 0"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let options = OpenOptions { format: Some(Format::Colours), ..OpenOptions::default() };
        let dataset = Dataset::open(root.path(), &options).unwrap();
        assert_eq!(dataset.classes().names, ["#000000", "#00c800", "#c80000"]);
        assert_eq!(labels(&dataset, 0)[..3], [0, 2, 1]);
        let expected = if second == RED_BLACK_GREEN { [2, 0, 1] } else { [0, 1, 2] };
        assert_eq!(labels(&dataset, 1)[..3], expected);
    }
}

#[test]
fn a_table_of_colours_reads_permuted_palettes_by_colour() {
    let root = tempdir().unwrap();
    put(root.path(), "classes.txt", b"ground 0 0 0\nroof 200 0 0\ntree 0 200 0\n");
    pair(&root, "a", &mask(&[0, 1, 2], &BLACK_RED_GREEN));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..3], [0, 1, 2]);
    pair(&root, "b", &mask(&[0, 1, 2], &RED_BLACK_GREEN));
    let dataset = open(&root).unwrap();
    assert_eq!(
        (labels(&dataset, 0)[..3].to_vec(), labels(&dataset, 1)[..3].to_vec()),
        (vec![0, 1, 2], vec![1, 0, 2])
    );
    assert!(dataset.warnings()[0].contains("another order"), "{:?}", dataset.warnings());
    // All in another order than the table.
    pair(&root, "a", &mask(&[0, 1, 2], &BLACK_GREEN_RED));
    pair(&root, "b", &mask(&[0, 1, 2], &BLACK_GREEN_RED));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..3], [0, 2, 1]);
}

#[test]
fn a_table_whose_colours_only_draw_leaves_indices_alone() {
    let root = tempdir().unwrap();
    put(root.path(), "classes.txt", b"ground 1 1 1\nroof 2 2 2\ntree 3 3 3\n");
    pair(&root, "a", &mask(&[0, 1, 2], &BLACK_RED_GREEN));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..3], [0, 1, 2]);
    // A palette that neither numbers as the table does nor has all of its colours.
    put(root.path(), "classes.txt", b"ground 0 0 0\nroof 0 200 0\ntree 3 3 3\n");
    let error = open(&root).unwrap_err().to_string();
    for part in ["two ways", "(200, 0, 0)", "a.png", "classes.txt"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn an_ignored_index_in_the_colour_of_a_class_stays_ignored() {
    let table = b"tree 0 200 0\nstreet 255 255 255\n";
    let mut palette = vec![255; 768];
    palette[..3].copy_from_slice(&[0, 200, 0]);
    let root = tempdir().unwrap();
    pair(&root, "a", &mask(&[0, 1, 255], &palette));
    // By the user's word, and by the table's, as in converted folders.
    put(root.path(), "classes.txt", table);
    let options = OpenOptions { ignore: Some(255), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &options).unwrap();
    assert_eq!(labels(&dataset, 0)[..3], [0, 1, 255]);
    let out = tempdir().unwrap();
    dataset.convert(out.path()).unwrap();
    let again = Dataset::open(out.path(), &OpenOptions::default()).unwrap();
    assert_eq!((labels(&again, 0), again.ignore()), (labels(&dataset, 0), Some(255)));
}

#[test]
fn voc_masks_with_a_permuted_palette_go_by_their_colours() {
    let root = tempdir().unwrap();
    let put_mask = |bytes: &[u8]| put(root.path(), "SegmentationClass/a.png", bytes);
    put(root.path(), "JPEGImages/a.png", &rgb_png(4, 3));
    put(root.path(), "ImageSets/Segmentation/train.txt", b"a\n");
    // Aeroplane, background, void.
    put_mask(&mask(&[0, 1, 2], &[128, 0, 0, 0, 0, 0, 224, 224, 192]));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..3], [1, 0, 255]);
    put_mask(&mask(&[0, 1], &[0, 0, 0, 128, 0, 0]));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..3], [0, 1, 0]);
    put_mask(&rgb_mask_png(4, 3, &[[0, 0, 0], [128, 0, 0], [224, 224, 192]]));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..3], [0, 1, 255]);
}

#[test]
fn a_format_of_ids_refuses_palettes_that_differ() {
    let root = tempdir().unwrap();
    for (name, palette) in [("1", BLACK_RED_GREEN), ("2", RED_BLACK_GREEN)] {
        put(root.path(), &format!("images/training/ADE_train_{name}.png"), &rgb_png(4, 3));
        put(root.path(), &format!("annotations/training/ADE_train_{name}.png"), &mask(&[0, 1, 2], &palette));
    }
    let error = open(&root).unwrap_err().to_string();
    assert!(error.contains("palettes") && error.contains("ADE_train_2.png"), "{error}");
}

#[test]
fn a_shape_in_the_opacity_alone_is_the_mask() {
    let rgba = |shape: &[u8], colour: [u8; 3]| {
        let mut data: Vec<u8> = shape.iter().flat_map(|&a| [colour[0], colour[1], colour[2], a]).collect();
        data.resize(48, 0);
        for pixel in data.chunks_exact_mut(4) {
            pixel[..3].copy_from_slice(&colour);
        }
        png(4, 3, ColorType::Rgba, BitDepth::Eight, &data)
    };
    for colour in [[0, 0, 0], [255, 255, 255], [200, 0, 0]] {
        let root = tempdir().unwrap();
        pair(&root, "a", &rgba(&[255, 0, 255], colour));
        pair(&root, "b", &rgba(&[0, 0, 0, 255], colour));
        let dataset = open(&root).unwrap();
        assert_eq!(labels(&dataset, 0)[..4], [1, 0, 1, 0], "{colour:?}");
        assert_eq!(labels(&dataset, 1)[..4], [0, 0, 0, 1], "{colour:?}");
        assert!(dataset.warnings().iter().any(|w| w.contains("opacity")), "{:?}", dataset.warnings());
        // One such mask among others is a bad one.
        pair(&root, "b", &grey_png(4, 3, &[0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        let error = open(&root).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("opacity"), "{error}");
    }
    // Opacity that only accompanies a mask in grey is no mask.
    let root = tempdir().unwrap();
    let grey: Vec<u8> = (0..12).flat_map(|i| [i % 2, 255 * (i % 3 / 2)]).collect();
    pair(&root, "a", &png(4, 3, ColorType::GrayscaleAlpha, BitDepth::Eight, &grey));
    assert_eq!(labels(&open(&root).unwrap(), 0)[..4], [0, 1, 0, 1]);
}
