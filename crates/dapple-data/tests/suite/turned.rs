//! EXIF orientation: applied to images, and to masks that have none of their own.

use std::io::Cursor;

use crate::common::{grey_png, put};
use dapple_data::{Channels, DataError, Dataset, MaskOrientation, OpenOptions};
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

/// A grey JPEG of `side` x `height` whose EXIF data ask for a turn, and its mask: white in the upper left of the
/// stored picture, or in no place at all.
fn blob(width: u32, height: u32, orientation: u8, plain: bool) -> Vec<u8> {
    let picture = GrayImage::from_fn(width, height, |x, y| {
        image::Luma([if x < width / 3 && y < height / 2 && !plain { 230 } else { 20 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.encode_image(&DynamicImage::ImageLuma8(picture)).unwrap();
    bytes.into_inner()
}

/// The mask of the picture above, as it is stored or as it is shown.
fn blob_mask(width: u32, height: u32, orientation: u8, upright: bool) -> Vec<u8> {
    let mut mask = DynamicImage::ImageLuma8(GrayImage::from_fn(width, height, |x, y| {
        image::Luma([u8::from(x < width / 3 && y < height / 2)])
    }));
    if upright {
        mask.apply_orientation(image::metadata::Orientation::from_exif(orientation).unwrap());
    }
    grey_png(mask.width(), mask.height(), &mask.into_luma8().into_raw())
}

/// The share of bright pixels that have the label 1, and of labels 1 that are bright, over all pairs.
fn agrees(dataset: &Dataset) -> bool {
    (0..dataset.len()).all(|index| {
        let sample = dataset.load(index, Channels::Grey).unwrap();
        let wrong =
            sample.image.data.iter().zip(&sample.labels.labels).filter(|(v, l)| (**v > 128) != (**l == 1));
        wrong.count() * 20 < sample.labels.labels.len()
    })
}

#[test]
fn upright_masks_of_half_turned_mirrored_and_square_images() {
    for upright in [false, true] {
        for orientation in 2..=8 {
            let root = tempdir().unwrap();
            let side = 48;
            let height = if orientation < 5 { 32 } else { side };
            for name in ["a", "b"] {
                put(root.path(), &format!("images/{name}.jpg"), &blob(side, height, orientation, false));
                put(
                    root.path(),
                    &format!("masks/{name}.png"),
                    &blob_mask(side, height, orientation, upright),
                );
            }
            let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
            assert!(agrees(&dataset), "upright {upright}, orientation {orientation}");
            let warning = &dataset.warnings()[0];
            assert!(warning.contains("--mask-orientation") && warning.contains("borders"), "{warning}");
        }
    }
}

#[test]
fn masks_that_the_size_tells_nothing_of_follow_those_it_does() {
    for upright in [false, true] {
        let root = tempdir().unwrap();
        put(root.path(), "images/a.jpg", &blob(48, 32, 6, false));
        put(root.path(), "masks/a.png", &blob_mask(48, 32, 6, upright));
        // Nothing is to be seen in this one.
        put(root.path(), "images/b.jpg", &blob(48, 32, 3, true));
        put(root.path(), "masks/b.png", &blob_mask(48, 32, 3, upright));
        let dataset = Dataset::open(root.path(), &OpenOptions::default()).unwrap();
        assert!(dataset.warnings()[0].contains("sizes of 1"), "{:?}", dataset.warnings());
        let labels = dataset.labels(1).unwrap().labels;
        let corner = labels[48 * 32 - 1] == 1;
        assert!(corner, "the stored upper left is the lower right of the upright image, upright {upright}");
    }
}

#[test]
fn masks_that_nothing_tells_of_need_the_users_word() {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.jpg", &blob(48, 32, 3, true));
    put(root.path(), "masks/a.png", &blob_mask(48, 32, 3, false));
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::MaskValues { .. }));
    for part in ["a.jpg", "--mask-orientation", "as-image", "upright"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    for (orientation, first, last) in [(MaskOrientation::AsImage, 0, 1), (MaskOrientation::Upright, 1, 0)] {
        let options = OpenOptions { mask_orientation: Some(orientation), ..OpenOptions::default() };
        let labels = Dataset::open(root.path(), &options).unwrap().labels(0).unwrap().labels;
        assert_eq!((labels[0], labels[48 * 32 - 1]), (first, last), "{orientation:?}");
    }
    // A mask that is the same both ways leaves no question.
    put(
        root.path(),
        "masks/a.png",
        &grey_png(48, 32, &(0..48 * 32).map(|i| u8::from((i / 48) % 31 == 0)).collect::<Vec<u8>>()),
    );
    assert!(Dataset::open(root.path(), &OpenOptions::default()).unwrap().warnings().is_empty());
}

#[test]
fn a_word_that_the_size_contradicts_is_an_error() {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.jpg", &blob(48, 32, 6, false));
    put(root.path(), "masks/a.png", &blob_mask(48, 32, 6, true));
    let options = OpenOptions { mask_orientation: Some(MaskOrientation::AsImage), ..OpenOptions::default() };
    assert!(matches!(Dataset::open(root.path(), &options), Err(DataError::SizeMismatch { .. })));
}
