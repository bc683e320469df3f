//! COCO files as tools write them, and annotations that would draw nothing.

use crate::common::{put, rgb_png};
use dapple_data::{Dataset, OpenOptions};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// A folder with two 8 x 6 images and a COCO file made of these parts.
fn folder(categories: Value, annotations: Value) -> TempDir {
    let root = tempdir().unwrap();
    for name in ["a", "b"] {
        put(root.path(), &format!("{name}.png"), &rgb_png(8, 6));
    }
    let images = json!([
        { "id": 1, "file_name": "a.png", "width": 8, "height": 6 },
        { "id": 2, "file_name": "b.png", "width": 8, "height": 6 },
    ]);
    let file = json!({ "images": images, "categories": categories, "annotations": annotations });
    put(root.path(), "_annotations.coco.json", file.to_string().as_bytes());
    root
}

fn cat() -> Value {
    json!([{ "id": 1, "name": "cat" }])
}

/// A square of 2 x 2 pixels in the corner, as a valid annotation.
fn square() -> Value {
    json!({ "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]] })
}

fn open(root: &TempDir) -> dapple_data::Result<Dataset> {
    Dataset::open(root.path(), &OpenOptions::default())
}

fn with_segmentation(segmentation: Value) -> TempDir {
    folder(cat(), json!([square(), { "image_id": 2, "category_id": 1, "segmentation": segmentation }]))
}

#[test]
fn annotations_that_draw_nothing_are_named() {
    for (segmentation, words) in [
        (json!([]), "empty"),
        (json!([[]]), "three corners"),
        (json!([[1, 1, 4, 4]]), "three corners"),
        (json!([[1, 1, 4, 4, 7, 5, 2]]), "odd number"),
        (json!([[0.1, 0.1, 0.9, 0.1, 0.9, 0.8]]), "between 0 and 1"),
        (json!([[1e308, 0, 2, 0, 2, 2]]), "1e308"),
        (json!([[1, 1, 3, 3, 5, 5]]), "one line"),
        (json!([[100, 100, 110, 100, 110, 110]]), "outside"),
        (json!({ "size": [6, 8], "counts": [48] }), "no pixel"),
        (json!({ "size": [8, 6], "counts": [0, 48] }), "6 x 8"),
        (json!("mask.png"), "`\"mask.png\"`"),
        (json!({ "counts": [1, 2] }), "counts"),
        (Value::Null, "no segmentation"),
    ] {
        let root = with_segmentation(segmentation.clone());
        let error = open(&root).unwrap_err().to_string();
        for part in ["annotation 1", "_annotations.coco.json", words] {
            assert!(error.contains(part), "{segmentation}: no `{part}` in {error}");
        }
        // The image can be left out, the other stays.
        let options = OpenOptions { skip_bad: true, ..OpenOptions::default() };
        assert_eq!(Dataset::open(root.path(), &options).unwrap().len(), 1);
    }
}

#[test]
fn a_region_smaller_than_a_pixel_is_told() {
    let root = with_segmentation(json!([[1.6, 1.6, 2.2, 1.6, 2.2, 2.2]]));
    let dataset = open(&root).unwrap();
    assert!(dataset.warnings()[0].contains("annotation 1"), "{:?}", dataset.warnings());
}

#[test]
fn other_ways_of_writing_the_same_are_read() {
    let expected = open(&with_segmentation(json!([[1, 1, 4, 1, 4, 5, 1, 5]]))).unwrap().labels(1).unwrap();
    for segmentation in [
        json!([1, 1, 4, 1, 4, 5, 1, 5]),
        json!([[1, 1], [4, 1], [4, 5], [1, 5]]),
        json!([[[1, 1], [4, 1], [4, 5], [1, 5]]]),
        json!([{ "x": 1, "y": 1 }, { "x": 4, "y": 1 }, { "x": 4, "y": 5 }, { "x": 1, "y": 5 }]),
        json!([[1, 1, 4, 1, 4, 5, 1, 5], [1, 1]]),
    ] {
        let dataset = open(&with_segmentation(segmentation.clone())).unwrap();
        assert_eq!(dataset.labels(1).unwrap(), expected, "{segmentation}");
    }
    // Ids as text or with a point, sizes with a point, a crowd as a truth value.
    let root = tempdir().unwrap();
    put(root.path(), "a.png", &rgb_png(8, 6));
    let file = json!({
        "images": [{ "id": "x1", "file_name": "a.png", "width": 8.0, "height": 6.0 }],
        "categories": [{ "id": "1", "name": "cat" }, { "id": 2.0, "name": "dog" }],
        "annotations": [
            { "image_id": "x1", "category_id": 1, "iscrowd": false, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]] },
            { "image_id": "x1", "category_id": "2", "iscrowd": true,
              "segmentation": { "size": [6.0, 8.0], "counts": [40.0, 8.0] } },
        ],
    });
    put(root.path(), "coco.json", file.to_string().as_bytes());
    let dataset = open(&root).unwrap();
    assert_eq!(dataset.classes().names, ["background", "cat", "dog"]);
    let labels = dataset.labels(0).unwrap().labels;
    assert_eq!((labels[0], labels[2], labels[47]), (1, 0, 255));
}

#[test]
fn files_are_known_by_their_beginning_wherever_it_cuts_a_character() {
    for (mark, start) in [("", ""), ("", "x"), ("\u{feff}", "")] {
        let root = folder(cat(), json!([square()]));
        let path = root.path().join("_annotations.coco.json");
        let file = std::fs::read_to_string(&path).unwrap();
        let long = "\u{e9}".repeat(1 << 16);
        let file = file.strip_suffix('}').unwrap();
        std::fs::write(&path, format!(r#"{mark}{file}, "info": "{start}{long}"}}"#)).unwrap();
        assert_eq!(open(&root).unwrap().len(), 2);
    }
}

#[test]
fn fields_of_a_wrong_kind_are_named_with_their_number() {
    let annotation = |field: &str, value: Value| {
        let mut annotation = square();
        annotation[field] = value;
        folder(cat(), json!([square(), annotation]))
    };
    for (root, words) in [
        (annotation("category_id", Value::Null), &["annotation 1", "no `category_id`"][..]),
        (annotation("category_id", json!(9)), &["annotation 1", "no category with the id 9"]),
        (annotation("image_id", json!([1])), &["annotation 1", "`image_id` is `[1]`"]),
        (annotation("iscrowd", json!("yes")), &["annotation 1", "`iscrowd`"]),
        (folder(json!([{ "id": 1, "name": null }]), json!([square()])), &["category 0", "no `name`"]),
        (
            folder(json!([{ "id": 1, "name": "cat" }, { "id": 2, "name": "cat" }]), json!([square()])),
            &["categories 1 and 2", "`cat`"],
        ),
    ] {
        let error = open(&root).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
        assert!(!error.contains("expected") && !error.contains("invalid type"), "{error}");
    }
    let root = tempdir().unwrap();
    put(root.path(), "a.png", &rgb_png(8, 6));
    put(root.path(), "coco.json", br#"{"images": [{"id": 1, "file_name": "a.png", "width": 8, "heig"#);
    let error = open(&root).unwrap_err().to_string();
    assert!(error.contains("ends at line 1"), "{error}");
}

#[test]
fn the_root_category_of_an_export_is_no_class() {
    let categories = |root: &str| {
        json!([
            { "id": 0, "name": root, "supercategory": "none" },
            { "id": 1, "name": "cat", "supercategory": root },
        ])
    };
    for name in ["animals", "cat"] {
        let root = folder(categories(name), json!([square()]));
        let dataset = open(&root).unwrap();
        assert_eq!(dataset.classes().names, ["background", "cat"]);
        assert!(dataset.warnings()[0].contains("is no class"), "{:?}", dataset.warnings());
        let out = tempdir().unwrap();
        dataset.convert(out.path()).unwrap();
        let again = Dataset::open(out.path(), &OpenOptions::default()).unwrap();
        assert_eq!(again.classes(), dataset.classes());
    }
    // One that has annotations is a class.
    let used =
        json!([square(), { "image_id": 1, "category_id": 0, "segmentation": [[4, 4, 8, 4, 8, 6, 4, 6]] }]);
    assert_eq!(open(&folder(categories("animals"), used)).unwrap().classes().len(), 3);
    // A category of that name is the background.
    let categories = json!([{ "id": 0, "name": "Background" }, { "id": 1, "name": "cat" }]);
    assert_eq!(open(&folder(categories, json!([square()]))).unwrap().classes().names, ["background", "cat"]);
}
