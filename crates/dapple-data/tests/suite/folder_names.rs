//! Names of folders and files: what is taken, what is left out, and what is told of it.

use crate::common::{grey_png, put, put_pair, rgb_png};
use dapple_data::{Dataset, OpenOptions};
use tempfile::tempdir;

fn open(root: &std::path::Path) -> dapple_data::Result<Dataset> {
    Dataset::open(root, &OpenOptions::default())
}

fn names(dataset: &Dataset) -> Vec<&str> {
    (0..dataset.len()).map(|i| dataset.name(i)).collect()
}

#[test]
fn the_folders_taken_are_told_and_others_warned_of() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "mask/a.png", &[0, 1]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.folders(), ["images in images/, masks in mask/"]);
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
    put(root.path(), "label/a.png", &grey_png(4, 3, &[0; 12]));
    let dataset = open(root.path()).unwrap();
    let warning = &dataset.warnings()[0];
    for part in ["masks in mask/", "label/"] {
        assert!(warning.contains(part), "{warning}");
    }
    // Also within parts.
    let root = tempdir().unwrap();
    put_pair(root.path(), "train/images/a.png", "train/masks/a.png", &[0, 1]);
    put(root.path(), "train/labels/a.png", &grey_png(4, 3, &[0; 12]));
    assert!(open(root.path()).unwrap().warnings()[0].contains("train/labels/"));
    // And of those in the folder itself, where parts lie deeper.
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", &[0, 1]);
    put_pair(root.path(), "val_old/set/images/b.png", "val_old/set/masks/b.png", &[0, 1]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(names(&dataset), ["val/set/b"]);
    assert!(dataset.warnings()[0].contains("images/, masks/ could hold masks as well"));
}

#[test]
fn left_and_right_eyes_are_images() {
    let root = tempdir().unwrap();
    for name in ["eye00_L", "eye00_R"] {
        put_pair(root.path(), &format!("{name}.png"), &format!("{name}_mask.png"), &[0, 1]);
    }
    assert_eq!(names(&open(root.path()).unwrap()), ["eye00_L", "eye00_R"]);
    // In a folder of masks `_L` is CamVid's suffix, but never takes the mask of another image.
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/eye.png", "masks/eye_mask.png", &[0, 1]);
    put_pair(root.path(), "images/eye_L.png", "masks/eye_L.png", &[0, 0, 1]);
    put_pair(root.path(), "images/f.png", "masks/f_L.png", &[0, 1]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(names(&dataset), ["eye", "eye_L", "f"]);
    assert_eq!(dataset.labels(1).unwrap().labels[..3], [0, 0, 1]);
}

#[test]
fn files_of_other_kinds_are_counted_and_named() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", &[0, 1]);
    for name in ["b.heic", "c.HEIC", "d.jp2", "e.avif", "f.mov", "notes.txt"] {
        put(root.path(), &format!("images/{name}"), b"not looked at");
    }
    let dataset = open(root.path()).unwrap();
    let warning = &dataset.warnings()[0];
    for part in
        ["5 files", "2 HEIC (such as b.heic)", "1 JPEG 2000 (d.jp2)", "1 AVIF", "1 video", "convert them"]
    {
        assert!(warning.contains(part), "{part}: {warning}");
    }
}

#[test]
fn jfif_is_jpeg() {
    let root = tempdir().unwrap();
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::DynamicImage::ImageRgb8(image::RgbImage::new(4, 3));
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    put(root.path(), "images/a.jfif", bytes.get_ref());
    put(root.path(), "masks/a.png", &grey_png(4, 3, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(names(&open(root.path()).unwrap()), ["a"]);
}

#[test]
fn composed_decomposed_and_capital_letters_are_matched() {
    let composed = "caf\u{e9}";
    let decomposed = "cafe\u{301}";
    let root = tempdir().unwrap();
    put_pair(root.path(), &format!("images/{composed}.png"), &format!("masks/{decomposed}.png"), &[0, 1]);
    put_pair(root.path(), "images/IMG_1.png", "masks/img_1_mask.png", &[0, 1]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(names(&dataset), ["IMG_1", composed]);
    assert!(dataset.warnings()[0].contains("2 images and masks are paired"), "{:?}", dataset.warnings());
    // Not where there are two of them.
    put(root.path(), "images/Img_1.png", &rgb_png(4, 3));
    assert!(open(root.path()).unwrap_err().to_string().contains("no mask"));

    // Names in lists.
    let root = tempdir().unwrap();
    put_pair(root.path(), &format!("in/{decomposed}.png"), "out/a.png", &[0, 1]);
    put(root.path(), "train.txt", format!("in/{composed}.PNG OUT/a.png\n").as_bytes());
    assert_eq!(open(root.path()).unwrap().len(), 1);
}

#[test]
fn names_of_255_bytes_are_converted() {
    let root = tempdir().unwrap();
    let name = "n".repeat(251);
    put_pair(root.path(), &format!("images/{name}.png"), &format!("masks/{name}.png"), &[0, 1]);
    let out = tempdir().unwrap();
    open(root.path()).unwrap().convert(out.path()).unwrap();
    assert_eq!(names(&open(out.path()).unwrap()), [name.as_str()]);
}

#[test]
fn a_conversion_that_was_interrupted_is_no_data_set_and_can_be_finished() {
    let root = tempdir().unwrap();
    for i in 0..4 {
        put_pair(root.path(), &format!("images/{i}.png"), &format!("masks/{i}.png"), &[0, 1, i]);
    }
    let dataset =
        Dataset::open(root.path(), &OpenOptions { classes: Some(4), ..OpenOptions::default() }).unwrap();
    let out = tempdir().unwrap();
    dataset.convert(out.path()).unwrap();
    let marker = out.path().join("unfinished-conversion.json");
    assert!(!marker.exists());
    // As after a kill: an image is missing, and the marker is there.
    let interrupted = tempdir().unwrap();
    std::fs::remove_file(root.path().join("images/2.png")).unwrap();
    let made = dataset.convert(interrupted.path());
    assert!(made.is_err());
    let error = open(interrupted.path()).unwrap_err().to_string();
    assert!(error.contains("interrupted") && error.contains("data convert"), "{error}");
    put(root.path(), "images/2.png", &rgb_png(4, 3));
    // Another data set does not go on with it.
    let other = tempdir().unwrap();
    put_pair(other.path(), "images/x.png", "masks/x.png", &[0, 1]);
    let refused = open(other.path()).unwrap().convert(interrupted.path()).unwrap_err().to_string();
    assert!(refused.contains("other data"), "{refused}");
    dataset.convert(interrupted.path()).unwrap();
    let again = open(interrupted.path()).unwrap();
    assert_eq!(names(&again), ["0", "1", "2", "3"]);
}
