//! Published data sets and exports as they are unpacked.

use std::path::Path;

use crate::common::{grey_png, put, put_pair, rgb_png};
use dapple_data::{Dataset, Format, OpenOptions, Part};
use tempfile::tempdir;

fn open(root: &Path) -> Dataset {
    Dataset::open(root, &OpenOptions::default()).unwrap()
}

fn names(dataset: &Dataset) -> Vec<&str> {
    (0..dataset.len()).map(|i| dataset.name(i)).collect()
}

fn mask(at: &[usize]) -> Vec<u8> {
    let data: Vec<u8> = (0..12).map(|i| if at.contains(&i) { 255 } else { 0 }).collect();
    grey_png(4, 3, &data)
}

fn said(dataset: &Dataset, word: &str) {
    let said = dataset.warnings().join("\n");
    assert!(said.contains(word), "no `{word}` in {said}");
}

#[test]
fn trimaps_of_oxford_pets_ignore_the_border() {
    let root = tempdir().unwrap();
    for name in ["Abyssinian_1", "beagle_2", "pug_3"] {
        put_pair(
            root.path(),
            &format!("images/{name}.png"),
            &format!("annotations/trimaps/{name}.png"),
            &[1, 2, 3],
        );
    }
    put(root.path(), "annotations/trimaps/._pug_3.png", b"of a Mac");
    put(root.path(), "annotations/trainval.txt", b"Abyssinian_1 1 1 1\n");
    put(root.path(), "annotations/test.txt", b"beagle_2 2 2 1\n");
    let dataset = open(root.path());
    assert_eq!(dataset.format(), Some(Format::Pets));
    assert_eq!(names(&dataset), ["train/Abyssinian_1", "test/beagle_2"]);
    assert_eq!(dataset.labels(0).unwrap().labels[..3], [1, 0, 255]);
    assert_eq!((dataset.classes().len(), dataset.ignore()), (2, Some(255)));
    said(&dataset, "border");
    said(&dataset, "1 images are in neither");
    // The border as a class.
    let classes = "class = [{ name = \"ground\", from = [2] }, { name = \"pet\", from = [1] }, { name = \"rim\", from = [3] }]";
    put(root.path(), "classes.toml", classes.as_bytes());
    assert_eq!(open(root.path()).labels(0).unwrap().labels[..3], [1, 0, 2]);
}

#[test]
fn vessels_of_drive_count_in_the_field_of_view() {
    let root = tempdir().unwrap();
    for (part, number) in [("training", "21"), ("test", "01")] {
        put(root.path(), &format!("{part}/images/{number}_{part}.png"), &rgb_png(4, 3));
        put(root.path(), &format!("{part}/1st_manual/{number}_manual1.png"), &mask(&[1]));
        put(root.path(), &format!("{part}/2nd_manual/{number}_manual2.png"), &mask(&[2]));
        put(root.path(), &format!("{part}/mask/{number}_{part}_mask.png"), &mask(&[0, 1, 2, 3]));
    }
    let dataset = open(root.path());
    assert_eq!(dataset.format(), Some(Format::Drive));
    assert_eq!(names(&dataset), ["train/21_training", "test/01_test"]);
    assert_eq!(dataset.labels(1).unwrap().labels[..5], [0, 1, 0, 0, 255]);
    assert_eq!(dataset.classes().names, ["background", "vessel"]);
    said(&dataset, "field of view");
    // Copies whose test has no vessels.
    std::fs::remove_dir_all(root.path().join("test/1st_manual")).unwrap();
    let dataset = open(root.path());
    assert_eq!(names(&dataset), ["train/21_training"]);
    said(&dataset, "left out");
}

#[test]
fn lesions_of_isic_are_found_in_its_folders() {
    let root = tempdir().unwrap();
    for (images, masks) in [
        ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
        ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    ] {
        put(root.path(), &format!("{images}/ISIC_0000000.png"), &rgb_png(4, 3));
        put(root.path(), &format!("{masks}/ISIC_0000000_segmentation.png"), &mask(&[1]));
        put(root.path(), &format!("{images}/ATTRIBUTION.txt"), b"");
    }
    put(
        root.path(),
        "ISIC2018_Task2_Training_GroundTruth_v3/ISIC_0000000_attribute_globules.png",
        &mask(&[2]),
    );
    put(root.path(), "ISIC2018_Task1-2_Test_Input/ISIC_0000001.png", &rgb_png(4, 3));
    let dataset = open(root.path());
    said(&dataset, "ISIC2018_Task1-2_Test_Input is left out");
    assert_eq!(dataset.format(), Some(Format::Isic));
    assert_eq!(names(&dataset), ["train/ISIC_0000000", "val/ISIC_0000000"]);
    assert_eq!(dataset.classes().names, ["background", "lesion"]);
    // All in one folder, with superpixels.
    let root = tempdir().unwrap();
    put(root.path(), "ISIC_0000000.png", &rgb_png(4, 3));
    put(root.path(), "ISIC_0000000_segmentation.png", &mask(&[1]));
    put(root.path(), "ISIC_0000000_superpixels.png", &rgb_png(4, 3));
    let dataset = open(root.path());
    assert_eq!(names(&dataset), ["ISIC_0000000"]);
    said(&dataset, "passed over");
}

#[test]
fn pixels_of_loveda_without_data_are_ignored() {
    let root = tempdir().unwrap();
    for (folder, name) in [("Train/Urban", "1"), ("Train/Rural", "2"), ("Val/Urban", "3")] {
        let file = |kind: &str| format!("{folder}/{kind}/{name}.png");
        put_pair(root.path(), &file("images_png"), &file("masks_png"), &[0, 1, 7]);
    }
    put(root.path(), "Test/Urban/images_png/9.png", &rgb_png(4, 3));
    let dataset = open(root.path());
    assert_eq!(dataset.format(), Some(Format::LoveDa));
    assert_eq!(names(&dataset), ["train/Rural/2", "train/Urban/1", "val/Urban/3"]);
    assert_eq!(dataset.part(2), Some(Part::Val));
    assert_eq!(dataset.labels(0).unwrap().labels[..3], [255, 0, 6]);
    assert_eq!(dataset.classes().len(), 7);
}

#[test]
fn labelme_files_in_the_encoding_of_a_system_are_read() {
    for (encoding, label) in [
        (encoding_rs::GB18030, "道路"),
        (encoding_rs::SHIFT_JIS, "みち"),
        (encoding_rs::WINDOWS_1252, "allée"),
    ] {
        let root = tempdir().unwrap();
        put(root.path(), &format!("{label}1.png"), &rgb_png(4, 3));
        let json = format!(
            "{{\"shapes\": [{{\"label\": \"{label}\", \"points\": [[0, 0], [2, 2]], \"shape_type\": \"rectangle\"}}], \
             \"imagePath\": \"{label}1.png\", \"imageHeight\": 3, \"imageWidth\": 4}}"
        );
        put(root.path(), &format!("{label}1.json"), &encoding.encode(&json).0);
        let dataset = open(root.path());
        assert_eq!(dataset.classes().names, ["background", label]);
        said(&dataset, "not UTF-8");
    }
}

#[test]
fn masks_of_label_studio_are_put_together_for_each_task() {
    let root = tempdir().unwrap();
    let file = |task: usize, class: &str| {
        format!("masks/task-{task}-annotation-{}-by-1-tag-{class}-0.png", task + 7)
    };
    put(root.path(), &file(1, "road"), &mask(&[0]));
    put(root.path(), &file(1, "bare soil"), &mask(&[1]));
    put(root.path(), &file(2, "road"), &mask(&[2]));
    put(root.path(), "images/a.png", &rgb_png(4, 3));
    put(root.path(), "images/b.png", &rgb_png(4, 3));
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    assert!(error.contains("task 1") && error.contains("JSON-MIN"), "{error}");
    let json = "[{\"image\": \"/data/upload/1/00112233-a.png\", \"id\": 1}, {\"image\": \"/data/upload/1/b.png\", \"id\": 2}]";
    put(root.path(), "project.json", json.as_bytes());
    let dataset = open(root.path());
    assert_eq!(dataset.format(), Some(Format::LabelStudioPng));
    assert_eq!(names(&dataset), ["a", "b"]);
    assert_eq!(dataset.classes().names, ["background", "bare soil", "road"]);
    assert_eq!(dataset.labels(0).unwrap().labels[..3], [2, 1, 0]);
    // A list of the classes is no list of tasks.
    put(root.path(), "classes.json", b"[\"background\", \"road\", \"bare soil\"]");
    assert_eq!(open(root.path()).labels(0).unwrap().labels[..3], [1, 2, 0]);
    // Two annotators.
    put(root.path(), "masks/task-2-annotation-10-by-2-tag-road-0.png", &mask(&[3]));
    let error = Dataset::open(root.path(), &OpenOptions::default()).unwrap_err().to_string();
    assert!(error.contains("task 2 has 2 annotations"), "{error}");
}
