//! Foregrounds drawn with several values, levels of grey, and the values that a class table lists.

use crate::common::{grey_png, png, put, put_pair, rgb_png};
use dapple_data::{Dataset, LabelCoding, OpenOptions};
use png::{BitDepth, ColorType};
use tempfile::{TempDir, tempdir};

fn folder(masks: &[&[u8]]) -> TempDir {
    let root = tempdir().unwrap();
    for (number, values) in masks.iter().enumerate() {
        put_pair(root.path(), &format!("images/{number}.png"), &format!("masks/{number}.png"), values);
    }
    root
}

fn open(root: &TempDir) -> dapple_data::Result<Dataset> {
    Dataset::open(root.path(), &OpenOptions::default())
}

fn foreground(dataset: &Dataset) -> Vec<u64> {
    let of = |index| {
        let counted =
            dataset.label_counts(index).iter().find(|count| count.0 == 1).map_or(0, |count| count.1);
        let labels = dataset.labels(index).unwrap().labels;
        assert_eq!(labels.iter().filter(|&&label| label == 1).count() as u64, counted);
        counted
    };
    (0..dataset.len()).map(of).collect()
}

#[test]
fn masks_of_0_and_1_among_masks_of_0_and_255() {
    let root = folder(&[&[0, 1], &[0, 0, 255], &[0], &[1]]);
    let dataset = open(&root).unwrap();
    assert_eq!(dataset.classes().len(), 2);
    assert_eq!(foreground(&dataset), [6, 4, 0, 12]);
    let warning = &dataset.warnings()[0];
    for part in ["1 in", "255 in", "ignore label"] {
        assert!(warning.contains(part), "{warning}");
    }
    let two = OpenOptions { classes: Some(2), ..OpenOptions::default() };
    assert_eq!(foreground(&Dataset::open(root.path(), &two).unwrap()), [6, 4, 0, 12]);
    // Ignoring 255 is obeyed, and said to be doubtful.
    let ignoring = OpenOptions { ignore: Some(255), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &ignoring).unwrap();
    assert_eq!(foreground(&dataset), [6, 0, 0, 12]);
    assert!(dataset.warnings()[0].contains("probably the foreground"), "{:?}", dataset.warnings());
}

#[test]
fn white_of_several_depths() {
    let root = folder(&[&[0, 1]]);
    put(root.path(), "images/b.png", &rgb_png(4, 3));
    let bits = png(4, 3, ColorType::Grayscale, BitDepth::Sixteen, &[255, 255, 0, 0].repeat(6));
    put(root.path(), "masks/b.png", &bits);
    put(root.path(), "images/c.png", &rgb_png(4, 3));
    put(root.path(), "masks/c.png", &grey_png(4, 3, &[255; 12]));
    assert_eq!(foreground(&open(&root).unwrap()), [6, 6, 12]);
}

#[test]
fn values_of_255_beside_classes_are_asked_about() {
    let root = folder(&[&[0, 1], &[0, 1, 255], &[0, 255]]);
    let error = open(&root).unwrap_err().to_string();
    for part in ["if 255 marks pixels without a label", "the ignore label (255)", "from = [255]"] {
        assert!(error.contains(part), "{error}");
    }
    let ignoring = OpenOptions { ignore: Some(255), ..OpenOptions::default() };
    let dataset = Dataset::open(root.path(), &ignoring).unwrap();
    assert_eq!(foreground(&dataset), [6, 4, 0]);
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
}

#[test]
fn levels_of_grey_are_refused_with_a_table_to_copy() {
    for values in [&[0, 128, 255][..], &[0, 60, 120, 180], &[0, 64, 128, 192, 255]] {
        let root = folder(&[values]);
        let error = open(&root).unwrap_err().to_string();
        assert!(!error.contains("255 usually marks"), "{error}");
        let start = error.find("class = [").expect("a table");
        let end = start + error[start..].find(" }]").expect("its end") + 3;
        put(root.path(), "classes.toml", &error.as_bytes()[start..end]);
        let dataset = open(&root).unwrap();
        assert_eq!(dataset.classes().len(), values.len());
        let labels = dataset.labels(0).unwrap().labels;
        let expected: Vec<u8> = (0..12).map(|i| (i % values.len()) as u8).collect();
        assert_eq!(labels, expected);
    }
    let error = open(&folder(&[&[0, 128, 255]])).unwrap_err().to_string();
    assert!(error.contains("make 128 the ignore label"), "{error}");
}

#[test]
fn a_class_table_lists_the_values_of_the_masks() {
    let root = folder(&[&[10, 20, 95, 0], &[95, 80, 10, 255]]);
    put(
        root.path(),
        "classes.toml",
        b"ignore_from = [0, 255]\n[[class]]\nname = 'trees'\ncolour = '#00c800'\nfrom = [10, 95]\n\
          [[class]]\nname = 'shrubs'\nfrom = [20]\n[[class]]\nname = 'water'\nfrom = [80]\n",
    );
    let dataset = open(&root).unwrap();
    assert_eq!(dataset.classes().names, ["trees", "shrubs", "water"]);
    assert_eq!(dataset.classes().colours[0], [0, 200, 0]);
    assert_eq!(dataset.ignore(), Some(255));
    assert_eq!(dataset.labels(0).unwrap().labels[..4], [0, 1, 0, 255]);
    assert_eq!(dataset.labels(1).unwrap().labels[..4], [0, 2, 0, 255]);
    assert_eq!(dataset.coding(), LabelCoding::Indices);

    let out = tempdir().unwrap();
    dataset.convert(out.path()).unwrap();
    let again = Dataset::open(out.path(), &OpenOptions::default()).unwrap();
    assert_eq!(again.labels(1).unwrap(), dataset.labels(1).unwrap());

    put_pair(root.path(), "images/7.png", "masks/7.png", &[10, 21]);
    let error = open(&root).unwrap_err().to_string();
    for part in ["7.png", "21", "classes.toml", "from"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn tables_of_values_that_make_no_sense() {
    let root = folder(&[&[0, 1]]);
    for (table, part) in [
        (
            "[[class]]\nname = 'a'\nfrom = [1]\n[[class]]\nname = 'b'\nfrom = [1]",
            "`a` and `b` both have the value 1",
        ),
        ("[[class]]\nname = 'a'\nfrom = [1]\n[[class]]\nname = 'b'", "`b` has no `from`"),
        (
            "ignore_from = [1]\n[[class]]\nname = 'a'\nfrom = [1]\n[[class]]\nname = 'b'\nfrom = [0]",
            "ignore_from",
        ),
        ("ignore_from = [1]\n[[class]]\nname = 'a'\n[[class]]\nname = 'b'", "`from`"),
        (
            "ignore = 0\n[[class]]\nname = 'a'\nfrom = [1]\n[[class]]\nname = 'b'\nfrom = [2]",
            "ignore_from = [0]",
        ),
        ("[[class]]\nname = 'a'\ncolour = 'red'\n[[class]]\nname = 'b'", "not a colour"),
    ] {
        put(root.path(), "classes.toml", table.as_bytes());
        let error = open(&root).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn trimaps_by_a_table() {
    let root = folder(&[&[1, 2, 3]]);
    put(
        root.path(),
        "classes.toml",
        b"ignore_from = [3]\n[[class]]\nname = 'background'\nfrom = [2]\n[[class]]\nname = 'pet'\nfrom = [1]\n",
    );
    assert_eq!(open(&root).unwrap().labels(0).unwrap().labels[..3], [1, 0, 255]);
}

#[test]
fn pgm_values_are_not_stretched_to_white() {
    let pgm = |white: u32, values: [u8; 12]| {
        let mut bytes = format!("P5\n# by hand\n4 3\n{white}\n").into_bytes();
        bytes.extend(values);
        bytes
    };
    let root = tempdir().unwrap();
    put(root.path(), "images/a.png", &rgb_png(4, 3));
    put(root.path(), "masks/a.pgm", &pgm(3, [0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0]));
    let dataset = open(&root).unwrap();
    assert_eq!(dataset.classes().len(), 4);
    assert_eq!(dataset.labels(0).unwrap().labels[..4], [0, 1, 2, 3]);
    // White of 1 beside white of 255.
    put(root.path(), "masks/a.pgm", &pgm(1, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    put(root.path(), "images/b.png", &rgb_png(4, 3));
    put(root.path(), "masks/b.pgm", &pgm(255, [255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(foreground(&open(&root).unwrap()), [1, 2]);
    let wide = b"P2\n4 3\n1000\n0 1 2 3 4 5 6 7 8 9 10 11\n";
    put(root.path(), "masks/c.pgm", wide);
    let values = dapple_data::decode_values(root.path().join("masks/c.pgm")).unwrap();
    assert_eq!((values.values, values.white), ((0..12).collect(), 1000));
}
