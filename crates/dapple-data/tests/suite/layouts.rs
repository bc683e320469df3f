//! Which folders are recognized, how files are paired, and what is said where they are not.

use crate::common::{grey_png, put, put_pair, rgb_png};
use dapple_data::{DataError, Dataset, LabelCoding, OpenOptions, Part, Size};
use tempfile::tempdir;

fn open(root: &std::path::Path) -> dapple_data::Result<Dataset> {
    Dataset::open(root, &OpenOptions::default())
}

fn names(dataset: &Dataset) -> Vec<&str> {
    (0..dataset.len()).map(|i| dataset.name(i)).collect()
}

#[test]
fn an_image_folder_of_any_name_beside_masks_names_the_foreground() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "horse/b.jpg.png", "mask/b.jpg.png", &[0, 1]);
    put_pair(root.path(), "horse/a.png", "mask/a.png", &[0, 1]);
    put(root.path(), "horse/Thumbs.db", b"not an image");
    put(root.path(), "horse/._a.png", b"hidden");
    put(root.path(), "notes/readme.txt", b"a folder without images");
    let dataset = open(root.path()).unwrap();
    assert_eq!(names(&dataset), ["a", "b.jpg"]);
    assert_eq!(dataset.classes().names, ["background", "horse"]);
    assert_eq!(dataset.part(0), None);
    assert_eq!(dataset.size(0), Size { height: 3, width: 4 });
}

#[test]
fn images_beside_the_folder_of_their_masks() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "b.png", "masks/b.png", &[0, 255]);
    put_pair(root.path(), "a.png", "masks/a.png", &[0, 255]);
    // Neither these nor the masks are taken for images.
    put(root.path(), "runs/first/samples/a.png", &rgb_png(4, 3));
    let dataset = open(root.path()).unwrap();
    assert_eq!(names(&dataset), ["a", "b"]);
    assert_eq!(dataset.len(), 2);
    // A folder of images of its own comes first.
    put_pair(root.path(), "images/c.png", "masks/c.png", &[0, 255]);
    assert!(open(root.path()).is_err());
}

#[test]
fn classes_with_their_labels_are_read_from_masks_that_hold_few_of_them() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a.png", &[255, 2]);
    let classes = dapple_data::Classes::numbered(4);
    put(root.path(), "classes.toml", classes.to_toml_of_labels(255).as_bytes());
    let dataset = open(root.path()).unwrap();
    assert_eq!((dataset.classes(), dataset.ignore()), (&classes, Some(255)));
    assert_eq!(dataset.labels(0).unwrap().labels[..3], [255, 2, 255]);
    let read = dapple_data::Classes::read_of_labels(root.path().join("classes.toml")).unwrap();
    assert_eq!(read, (classes, Some(255)));
    let other = "[[class]]\nname = \"a\"\nfrom = [7]\n[[class]]\nname = \"b\"\nfrom = [1]\n";
    put(root.path(), "classes.toml", other.as_bytes());
    assert!(dapple_data::Classes::read_of_labels(root.path().join("classes.toml")).is_err());
}

#[test]
fn images_and_masks_in_other_words_cases_and_extensions() {
    for (images, masks) in
        [("images", "masks"), ("Images", "Annotations"), ("JPEGImages", "labels"), ("img", "GT")]
    {
        let root = tempdir().unwrap();
        put(root.path(), &format!("{images}/a.PNG"), &rgb_png(4, 3));
        put(
            root.path(),
            &format!("{masks}/a.png"),
            &grey_png(4, 3, &[0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0]),
        );
        let dataset = open(root.path()).unwrap();
        assert_eq!(dataset.classes().names, ["background", "foreground"]);
        assert_eq!(dataset.coding(), LabelCoding::Binary { background: 0, foreground: 255 });
        assert_eq!(dataset.labels(0).unwrap().labels[..5], [0, 1, 0, 0, 1]);
    }
}

#[test]
fn masks_named_after_the_image_with_a_suffix() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/a_mask.png", &[0, 1]);
    put_pair(root.path(), "images/b_L.png", "masks/b_L.png", &[0, 1]);
    assert_eq!(names(&open(root.path()).unwrap()), ["a", "b_L"]);
}

#[test]
fn parts_in_all_three_arrangements() {
    type Arrangement = fn(&str) -> (String, String);
    let arrangements: [Arrangement; 4] = [
        |part| (part.into(), format!("{part}annot")),
        |part| (part.into(), format!("{part}mask")),
        |part| (format!("{part}/images"), format!("{part}/masks")),
        |part| (format!("images/{part}"), format!("masks/{part}")),
    ];
    for arrangement in arrangements {
        let root = tempdir().unwrap();
        for part in ["train", "val", "test"] {
            let (images, masks) = arrangement(part);
            put_pair(root.path(), &format!("{images}/x.png"), &format!("{masks}/x.png"), &[0, 1, 2]);
        }
        let dataset = open(root.path()).unwrap();
        assert_eq!(names(&dataset), ["train/x", "val/x", "test/x"]);
        assert_eq!(dataset.part(1), Some(Part::Val));
        assert_eq!(dataset.classes().len(), 3);
    }
}

#[test]
fn camvid_is_known_by_its_layout_sequences_and_values() {
    let root = tempdir().unwrap();
    let values: Vec<u8> = (0..12).collect();
    put_pair(root.path(), "train/0001TP_006690.png", "trainannot/0001TP_006690.png", &values);
    put_pair(root.path(), "val/0016E5_07959.png", "valannot/0016E5_07959.png", &values);
    put(
        root.path(),
        "train.txt",
        b"/SegNet/CamVid/train/0001TP_006690.png /SegNet/CamVid/trainannot/0001TP_006690.png",
    );
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes().names[11], "unlabelled");
    assert_eq!(dataset.classes().colours[4], [60, 40, 222]);
    let options = OpenOptions { ignore: Some(11), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &options).unwrap();
    assert_eq!(dataset.classes().names.len(), 11);
    assert!(dataset.labels(0).unwrap().labels.contains(&11));
}

#[test]
fn a_classes_file_wins() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "horse/a.png", "mask/a.png", &[0, 1]);
    put(root.path(), "classes.txt", b"# names\nnothing\nsign symbol  1, 2,3\n\ndog\n");
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes().names, ["nothing", "sign symbol", "dog"]);
    assert_eq!(dataset.classes().colours[1], [1, 2, 3]);

    put(
        root.path(),
        "classes.toml",
        b"ignore = 1\n[[class]]\nname = 'a'\n[[class]]\nname = 'b'\ncolor = [9, 8, 7]\n",
    );
    let dataset = open(root.path()).unwrap();
    assert_eq!(dataset.classes().names, ["a", "b"]);
    assert_eq!(dataset.classes().colours[1], [9, 8, 7]);
    assert_eq!(dataset.ignore(), Some(1));

    let options = OpenOptions { classes: Some(5), ..OpenOptions::default() };
    let error = Dataset::open(root.path(), &options).unwrap_err().to_string();
    assert!(error.contains("2 classes but 5"), "{error}");
    put(root.path(), "classes.toml", b"klasses = 3");
    assert!(matches!(open(root.path()), Err(DataError::BadFile { .. })));
}

#[test]
fn what_is_not_recognized_is_told_with_what_was_looked_for() {
    let root = tempdir().unwrap();
    put(root.path(), "pictures_of_cats/a.png", &rgb_png(4, 3));
    let error = open(root.path()).unwrap_err().to_string();
    for part in ["trainannot", "mask/", "train/images/", "pictures_of_cats/"] {
        assert!(error.contains(part), "{error}");
    }
    // Two image folders: which one is meant cannot be known.
    put_pair(root.path(), "dogs/a.png", "masks/a.png", &[0, 1]);
    assert!(matches!(open(root.path()), Err(DataError::NoLayout { .. })));
    assert!(matches!(open(&root.path().join("absent")), Err(DataError::Read { .. })));
}

#[test]
fn an_empty_folder() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "horse/a.png", "mask/a.png", &[0, 1]);
    std::fs::remove_file(root.path().join("horse/a.png")).unwrap();
    assert!(matches!(open(root.path()), Err(DataError::EmptyFolder { path }) if path.ends_with("horse")));
}

#[test]
fn bad_pairs_stop_or_are_dropped_with_their_reasons() {
    type Check = fn(&DataError) -> bool;
    let cases: [(&str, Check); 6] = [
        ("missing mask", |e| matches!(e, DataError::MissingMask { .. })),
        ("missing image", |e| matches!(e, DataError::MissingImage { .. })),
        ("other size", |e| matches!(e, DataError::SizeMismatch { mask_width: 3, mask_height: 4, .. })),
        ("duplicate", |e| matches!(e, DataError::DuplicateStem { .. })),
        ("colour mask", |e| matches!(e, DataError::ColourMask { .. })),
        ("value", |e| matches!(e, DataError::MaskValue { value: 7, .. })),
    ];
    for (case, check) in cases {
        let root = tempdir().unwrap();
        put_pair(root.path(), "images/good.png", "masks/good.png", &[0, 1]);
        put_pair(root.path(), "images/bad.png", "masks/bad.png", &[0, 1]);
        let bad_mask = root.path().join("masks/bad.png");
        match case {
            "missing mask" => std::fs::remove_file(bad_mask).unwrap(),
            "missing image" => std::fs::remove_file(root.path().join("images/bad.png")).unwrap(),
            "other size" => put(root.path(), "masks/bad.png", &grey_png(3, 4, &[0, 1, 1, 0].repeat(3))),
            "duplicate" => put(root.path(), "images/bad.webp", b""),
            "colour mask" => put(root.path(), "masks/bad.png", &rgb_png(4, 3)),
            _ => put(root.path(), "masks/bad.png", &grey_png(4, 3, &[7; 12])),
        }
        let mut options = OpenOptions { classes: Some(2), ..OpenOptions::default() };
        let error = Dataset::open(root.path(), &options).unwrap_err();
        assert!(check(&error), "{case}: {error}");
        assert!(error.to_string().contains("bad"), "{case}: the file is named: {error}");
        options.skip_bad = true;
        let dataset = Dataset::open(root.path(), &options).unwrap();
        let kept = if case == "duplicate" { 2 } else { 1 };
        assert_eq!((dataset.len(), dataset.skipped().len()), (kept, 1), "{case}");
        assert!(check(&dataset.skipped()[0]), "{case}");
    }
}

#[test]
fn nothing_left_is_an_error() {
    let root = tempdir().unwrap();
    put_pair(root.path(), "images/a.png", "masks/b.png", &[0, 1]);
    let options = OpenOptions { skip_bad: true, ..OpenOptions::default() };
    assert!(matches!(Dataset::open(root.path(), &options), Err(DataError::NothingLeft { dropped: 2, .. })));
}

#[test]
fn files_of_formats_that_are_known_but_not_read_are_named() {
    for (file, content, words) in [
        ("scan/1.dcm", &b""[..], "DICOM"),
        ("scan/1.nii.gz", b"", "NIfTI"),
        ("data.zip", b"", "unpack"),
        ("arrays/1.mat", b"", "MATLAB"),
        ("train/1.tfrecord", b"", "TFRecord"),
        ("roads.geojson", b"{}", "gdal_rasterize"),
        ("boxes/1.xml", b"<annotation><object><bndbox></bndbox></object></annotation>", "boxes are no masks"),
    ] {
        let root = tempdir().unwrap();
        put(root.path(), "pictures/a.png", &rgb_png(4, 3));
        put(root.path(), file, content);
        let error = open(root.path()).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(file), "{error}");
    }
    // Where images or masks are looked for, too.
    for (file, words) in [("gt/1.mat", "MATLAB"), ("masks/1.heic", "1 HEIC")] {
        let root = tempdir().unwrap();
        put(root.path(), "images/1.png", &rgb_png(4, 3));
        put(root.path(), file, b"");
        let error = open(root.path()).unwrap_err().to_string();
        assert!(error.contains("no image") && error.contains(words), "{error}");
    }
}
