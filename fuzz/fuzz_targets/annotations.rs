//! Whatever text the annotations, lists and class tables of a data set hold, opening it ends with samples that can be
//! loaded or an error, and no file outside of its folder is read.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dapple_data::{Dataset, OpenOptions, Raster, encode_png};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// The files that are written, by the first byte of the input.
const FILES: [&str; 11] = [
    "folders/classes.txt",
    "folders/classes.csv",
    "folders/classes.json",
    "folders/classes.toml",
    "folders/labelmap.txt",
    "lists/train.txt",
    "lists/pairs.csv",
    "coco/annotations/instances_train.json",
    "panoptic/annotations/panoptic_train.json",
    "labelme/a.json",
    "voc/ImageSets/Segmentation/train.txt",
];

/// One folder a format with a picture and a mask of 6 x 4 pixels, called `a`.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let image = Raster::new(6, 4, 3, (0..72).collect());
    let mask = Raster::new(6, 4, 1, (0..24).map(|i| u8::from(i % 6 > 2)).collect());
    let png = |raster: &Raster| encode_png(raster).expect("a small raster");
    let (image, mask) = (png(&image), png(&mask));
    for (path, bytes) in [
        ("folders/images/a.png", &image),
        ("folders/masks/a.png", &mask),
        ("lists/a.png", &image),
        ("lists/b.png", &mask),
        ("coco/train/a.png", &image),
        ("panoptic/train/a.png", &image),
        ("panoptic/annotations/panoptic_train/a.png", &image),
        ("labelme/a.png", &image),
        ("voc/JPEGImages/a.png", &image),
        ("voc/SegmentationClass/a.png", &mask),
    ] {
        write(&folder.path().join(path), bytes);
    }
    folder
});

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a path in the folder")).expect("the folder is writable");
    fs::write(path, bytes).expect("the folder is writable");
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, text)) = bytes.split_first() else { return };
    let name = FILES[usize::from(first) % FILES.len()];
    let path: PathBuf = FOLDER.path().join(name);
    write(&path, text);
    let root = FOLDER.path().join(name.split('/').next().expect("a name has a first part"));
    let inside = fs::canonicalize(&root).expect("the folder was just made");
    if let Ok(dataset) = Dataset::open(&root, &OpenOptions::default()) {
        for index in 0..dataset.len() {
            if let Some(image) = dataset.image_path(index) {
                let image = fs::canonicalize(image).expect("a sample's image was found");
                assert!(image.starts_with(&inside), "{} lies outside", image.display());
            }
            if let Ok(sample) = dataset.load(index, 3) {
                let classes = dataset.classes().len();
                let known = |&label: &u8| usize::from(label) < classes || Some(label) == dataset.ignore();
                assert!(sample.labels.labels.iter().all(known));
                assert_eq!(
                    (sample.labels.height, sample.labels.width),
                    (sample.image.height, sample.image.width)
                );
            }
        }
    }
    fs::remove_file(path).expect("it was just written");
});
