//! Several masks of one image, suffixes of masks, and images and masks of one name.

use std::path::Path;

use crate::common::{grey_png, put, put_pair, rgb_png};
use dapple_data::{Dataset, LabelCoding, OpenOptions, Part};
use tempfile::tempdir;

fn open(root: &Path) -> dapple_data::Result<Dataset> {
    Dataset::open(root, &OpenOptions::default())
}

fn refused(root: &Path) -> String {
    open(root).unwrap_err().to_string()
}

fn names(dataset: &Dataset) -> Vec<&str> {
    (0..dataset.len()).map(|i| dataset.name(i)).collect()
}

/// A mask of 4 x 3 pixels with the value 255 at the given ones.
fn mask(at: &[usize]) -> Vec<u8> {
    let data: Vec<u8> = (0..12).map(|i| if at.contains(&i) { 255 } else { 0 }).collect();
    grey_png(4, 3, &data)
}

fn labels(dataset: &Dataset, index: usize) -> String {
    dataset.labels(index).unwrap().labels.iter().map(u8::to_string).collect()
}

fn said(dataset: &Dataset, words: &[&str]) {
    let said = dataset.warnings().join("\n");
    for word in words {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
}

#[test]
fn masks_of_regions_beside_their_image_are_put_together() {
    // BUSI.
    let root = tempdir().unwrap();
    for (folder, masks) in [("benign", 2), ("malignant", 3), ("normal", 1)] {
        let name = |end: &str| format!("{folder}/{folder} (1){end}.png");
        put(root.path(), &name(""), &rgb_png(4, 3));
        put(root.path(), &name("_mask"), &mask(if folder == "normal" { &[] } else { &[0, 1] }));
        for number in 1..masks {
            put(root.path(), &name(&format!("_mask_{number}")), &mask(&[1, 3 + number]));
        }
    }
    let dataset = open(root.path()).unwrap();
    assert_eq!(names(&dataset), ["benign/benign (1)", "malignant/malignant (1)", "normal/normal (1)"]);
    assert_eq!(labels(&dataset, 0), "110010000000");
    assert_eq!(labels(&dataset, 1), "110011000000");
    assert_eq!(labels(&dataset, 2), "000000000000");
    assert_eq!(dataset.classes().names, ["background", "foreground"]);
    said(&dataset, &["2 of 3 images have several masks"]);
    assert_eq!([0, 1, 2].map(|i| dataset.label_paths(i).len()), [2, 3, 1]);
    let out = tempdir().unwrap();
    dataset.convert(out.path()).unwrap();
    assert_eq!(labels(&open(out.path()).unwrap(), 1), "110011000000");
}

#[test]
fn masks_of_nuclei_in_a_folder_for_each_image_are_put_together() {
    // DSB2018, also with the folders of its parts.
    for part in ["", "stage1_train/"] {
        let root = tempdir().unwrap();
        for id in ["00ae", "01b2"] {
            put(root.path(), &format!("{part}{id}/images/{id}.png"), &rgb_png(4, 3));
            for (number, hash) in ["c395", "d1f0", "e7a9"].iter().enumerate() {
                put(root.path(), &format!("{part}{id}/masks/{id}{hash}.png"), &mask(&[number * 2]));
            }
        }
        let dataset = open(root.path()).unwrap();
        let train = Some(Part::Train).filter(|_| !part.is_empty());
        assert_eq!(dataset.part(0), train);
        assert_eq!(names(&dataset)[0], if part.is_empty() { "00ae" } else { "train/00ae" });
        assert_eq!(labels(&dataset, 1), "101010000000");
    }
    // Hundreds of folders are not listed one by one.
    let root = tempdir().unwrap();
    for id in 0..20 {
        put(root.path(), &format!("{id}/images/{id}.png"), &rgb_png(4, 3));
        put(root.path(), &format!("{id}/masks/a.png"), &mask(&[id % 12]));
    }
    let dataset = open(root.path()).unwrap();
    assert_eq!((dataset.folders().len(), dataset.first_folders().len()), (20, 6));
    assert_eq!(dataset.first_folders()[5], "and 15 more of this kind");
    // A folder of masks for each image, beside all images.
    let root = tempdir().unwrap();
    for (name, count) in [("a", 1), ("b", 3)] {
        put(root.path(), &format!("images/{name}.png"), &rgb_png(4, 3));
        (0..count).for_each(|i| put(root.path(), &format!("masks/{name}/{i}.png"), &mask(&[i])));
    }
    let dataset = open(root.path()).unwrap();
    assert_eq!([labels(&dataset, 0), labels(&dataset, 1)], ["100000000000", "111000000000"]);
}

#[test]
fn a_mask_for_each_class_gives_the_classes_by_name() {
    type Place = fn(&str, &str) -> String;
    let places: [Place; 4] = [
        |name, class| format!("{name}_{class}.png"),
        |name, class| format!("masks/{name}_{class}.png"),
        |name, class| format!("masks/{class}/{name}.png"),
        |name, class| format!("masks/{name}/{class}.png"),
    ];
    for place in places {
        let root = tempdir().unwrap();
        let images = if place("", "").contains('/') { "images/" } else { "" };
        for name in ["one", "two"] {
            put(root.path(), &format!("{images}{name}.png"), &rgb_png(4, 3));
            put(root.path(), &place(name, "road"), &mask(&[0, 1]));
            put(root.path(), &place(name, "sky"), &mask(&[2]));
        }
        put(root.path(), &place("two", "car"), &mask(&[11]));
        let dataset = open(root.path()).unwrap();
        let example = place("NAME", "CLASS");
        assert_eq!(names(&dataset), ["one", "two"], "{example}");
        assert_eq!(dataset.classes().names, ["background", "car", "road", "sky"], "{example}");
        assert_eq!([labels(&dataset, 0), labels(&dataset, 1)], ["223000000000", "223000000001"], "{example}");
        said(&dataset, &["car, road, sky"]);
        // A list gives the order, and must have all of them.
        put(root.path(), "classes.txt", b"nothing\nsky\nroad\ncar\n");
        assert_eq!(labels(&open(root.path()).unwrap(), 1), "221000000003", "{example}");
        put(root.path(), "classes.txt", b"nothing\nsky\nroad\n");
        assert!(refused(root.path()).contains("`car`"), "{example}");
    }
    // More classes than there are labels.
    let root = tempdir().unwrap();
    put(root.path(), "images/a.png", &rgb_png(4, 3));
    (0..255).for_each(|i| put(root.path(), &format!("masks/a_of{i}th.png"), &mask(&[i % 12])));
    assert!(refused(root.path()).contains("256 classes"));
}

#[test]
fn overlapping_masks_of_classes_are_refused_unless_something_tells_their_order() {
    let root = tempdir().unwrap();
    let put_masks = |name: &str, disc: &[usize], cup: &[usize]| {
        put(root.path(), &format!("images/{name}.png"), &rgb_png(4, 3));
        put(root.path(), &format!("masks/{name}_disc.png"), &mask(disc));
        put(root.path(), &format!("masks/{name}_cup.png"), &mask(cup));
    };
    put_masks("a", &[0, 1, 2], &[1]);
    put_masks("b", &[4, 5], &[5]);
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes().names, ["background", "cup", "disc"]);
    assert_eq!([labels(&dataset, 0), labels(&dataset, 1)], ["212000000000", "000021000000"]);
    said(&dataset, &["`cup` lie within those of `disc` in all 2 images"]);
    // Neither lies within the other.
    put_masks("c", &[0, 1], &[1, 2]);
    let error = refused(root.path());
    for word in ["1 pixels have two classes", "`cup`", "`disc`", "c_cup.png", "classes.txt", "--mask-suffix"]
    {
        assert!(error.contains(word), "no `{word}` in {error}");
    }
    put(root.path(), "classes.txt", b"background\ncup\ndisc\n");
    let dataset = open(root.path()).unwrap();
    assert_eq!(labels(&dataset, 2), "221000000000");
    said(&dataset, &["overlap, in 3 images", "later lie over earlier"]);
}

#[test]
fn names_of_masks_that_can_be_read_in_two_ways_are_refused() {
    let root = tempdir().unwrap();
    for name in ["a", "b"] {
        put(root.path(), &format!("images/{name}.png"), &rgb_png(4, 3));
        put(root.path(), &format!("masks/{name}_1.png"), &mask(&[0]));
        put(root.path(), &format!("masks/{name}_2.png"), &mask(&[1]));
    }
    let error = refused(root.path());
    assert!(error.contains("classes of these numbers") && error.contains("regions of one class"), "{error}");
    put(root.path(), "classes.txt", b"background\n1\n2\n");
    assert_eq!(labels(&open(root.path()).unwrap(), 0), "120000000000");
    std::fs::remove_file(root.path().join("classes.txt")).unwrap();
    // Different numbers of them are regions.
    put(root.path(), "masks/b_3.png", &mask(&[2]));
    assert_eq!(labels(&open(root.path()).unwrap(), 1), "111000000000");
    // One kind beside the other.
    for name in ["a", "b"] {
        put(root.path(), &format!("masks/{name}_road.png"), &mask(&[0]));
    }
    assert!(refused(root.path()).contains("names no class"));
    // A label map is no region.
    let root = tempdir().unwrap();
    put_pair(root.path(), "a.png", "a_mask.png", &[0, 1, 2]);
    put(root.path(), "a_mask_1.png", &mask(&[0]));
    assert!(refused(root.path()).contains("must show one region"));
}

#[test]
fn one_ending_of_all_masks_is_found_or_given() {
    let root = tempdir().unwrap();
    for name in ["21_training", "22_training"] {
        put_pair(root.path(), &format!("images/{name}.png"), &format!("masks/{name}_matte.png"), &[0, 1, 2]);
    }
    let dataset = open(root.path()).unwrap();
    assert_eq!((names(&dataset)[0], dataset.classes().len()), ("21_training", 3));
    said(&dataset, &["`matte`"]);
    // Two observers.
    let with = |suffix: &str| {
        Dataset::open(
            root.path(),
            &OpenOptions { mask_suffix: Some(suffix.into()), ..OpenOptions::default() },
        )
    };
    for name in ["21_training", "22_training"] {
        put(root.path(), &format!("masks/{name}_second.png"), &mask(&[0]));
    }
    let dataset = with("_second").unwrap();
    assert_eq!(dataset.coding(), LabelCoding::Binary { background: 0, foreground: 255 });
    said(&dataset, &["2 files", "passed over"]);
    assert!(with("_third").unwrap_err().to_string().contains("--mask-suffix"));
    assert!(with("").is_err());
    // In one folder, with pictures of something else.
    let root = tempdir().unwrap();
    for name in ["a", "b"] {
        put_pair(root.path(), &format!("{name}.png"), &format!("{name}_1stHO.png"), &[0, 1]);
        put(root.path(), &format!("{name}_2ndHO.png"), &mask(&[2, 3]));
    }
    let options = OpenOptions { mask_suffix: Some("_1stHO".into()), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &options).unwrap();
    assert_eq!((names(&dataset), labels(&dataset, 0)), (vec!["a", "b"], "010101010101".into()));
    assert!(refused(root.path()).contains("two classes"));
}

#[test]
fn images_may_say_that_they_are_images_and_their_masks_too() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "a_image.png", "a_image_mask.png", &[0, 1]);
    assert_eq!(names(&open(root.path()).unwrap()), ["a_image"]);
    put_pair(root.path(), "b_rgb.png", "b_mask.png", &[0, 1]);
    assert_eq!(names(&open(root.path()).unwrap()), ["a_image", "b_rgb"]);
    let options = OpenOptions { mask_suffix: Some("_mask".into()), ..OpenOptions::default() };
    assert_eq!(Dataset::open(root.path(), &options).unwrap().len(), 2);
}

#[test]
fn images_and_masks_of_one_name_are_told_apart_by_their_colours() {
    for parts in ["", "train/"] {
        let root = tempdir().unwrap();
        for name in ["a", "b", "c"] {
            put(root.path(), &format!("{parts}{name}.bmp"), &rgb_png(4, 3));
            put(root.path(), &format!("{parts}{name}.png"), &mask(&[0]));
        }
        let dataset = open(root.path()).unwrap();
        assert_eq!((dataset.len(), labels(&dataset, 0)), (3, "100000000000".into()));
        said(&dataset, &[".png files are taken for the masks"]);
    }
    let root = tempdir().unwrap();
    for name in ["a", "b"] {
        put(root.path(), &format!("{name}.bmp"), &mask(&[1]));
        put(root.path(), &format!("{name}.png"), &mask(&[0]));
    }
    let error = refused(root.path());
    assert!(error.contains("a.bmp") && error.contains("a.png") && error.contains("masks/"), "{error}");
}

#[test]
fn gif_masks_and_numpy_arrays_are_read() {
    let root = tempdir().unwrap();
    put(root.path(), "images/a.png", &rgb_png(4, 3));
    put(root.path(), "images/b.png", &rgb_png(4, 3));
    let mut gif = std::io::Cursor::new(Vec::new());
    let grey = image::GrayImage::from_fn(4, 3, |x, y| image::Luma([if x + y == 0 { 255 } else { 0 }]));
    let picture = image::DynamicImage::ImageLuma8(grey).into_rgba8();
    image::DynamicImage::ImageRgba8(picture).write_to(&mut gif, image::ImageFormat::Gif).unwrap();
    for name in ["a", "b"] {
        put(root.path(), &format!("masks/{name}_manual1.gif"), gif.get_ref());
    }
    let dataset = open(root.path()).unwrap();
    assert_eq!(labels(&dataset, 0), "100000000000");

    let array = |kind: &str, shape: &str, by_columns: &str, data: &[u8]| {
        let header = format!("{{'descr': '{kind}', 'fortran_order': {by_columns}, 'shape': {shape}, }}\n");
        [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data]
            .concat()
    };
    let wide = |size: usize, big: bool| -> Vec<u8> {
        let number = |i: u64| {
            let bytes = i.to_le_bytes()[..size].to_vec();
            if big { bytes.into_iter().rev().collect() } else { bytes }
        };
        (0..12).flat_map(|i| number(i % 3)).collect()
    };
    let rows = "012012012012";
    for (bytes, expected) in [
        (array("|u1", "(3, 4)", "False", &wide(1, false)), rows),
        (array("<i8", "(3, 4)", "False", &wide(8, false)), rows),
        (array(">i4", "(3, 4, 1)", "False", &wide(4, true)), rows),
        (array("<u2", "(3, 4)", "True", &wide(2, false)), "000011112222"),
    ] {
        let root = tempdir().unwrap();
        put(root.path(), "images/a.png", &rgb_png(4, 3));
        put(root.path(), "masks/a.npy", &bytes);
        assert_eq!(labels(&open(root.path()).unwrap(), 0), expected);
    }
    // In a list.
    let root = tempdir().unwrap();
    put(root.path(), "pictures/a.png", &rgb_png(4, 3));
    put(root.path(), "arrays/a.npy", &array("|u1", "(3, 4)", "False", &wide(1, false)));
    put(root.path(), "pairs.csv", b"image,mask\npictures/a.png,arrays/A.npy\n");
    assert_eq!(labels(&open(root.path()).unwrap(), 0), rows);
    for (bytes, word) in [
        (array("|u1", "(3, 4, 2)", "False", &[0; 24]), "argmax"),
        (array("|u1", "(3, 4)", "False", &[0; 11]), "11 bytes"),
        (array("|u1", "(0, 4)", "False", &[]), "without values"),
        (array("|u1", "(3, 4, x)", "False", &[0; 12]), "argmax"),
        (array("|O", "(3, 4)", "False", &[0; 12]), "type"),
        (array("|i1", "(3, 4)", "False", &[255; 12]), "-1"),
        (b"\x93NUMPY\x01".to_vec(), "damaged"),
    ] {
        let root = tempdir().unwrap();
        put(root.path(), "images/a.png", &rgb_png(4, 3));
        put(root.path(), "masks/a.npy", &bytes);
        assert!(refused(root.path()).contains(word), "{word}");
    }
}
