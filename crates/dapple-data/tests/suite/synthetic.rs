//! The generated data.

use dapple_data::{Channels, DataError, Dataset, OpenOptions, synthetic};
use tempfile::tempdir;

#[test]
fn pictures_repeat_and_differ() {
    let first = synthetic::generate(1, 2, 40, 50);
    assert_eq!(first, synthetic::generate(1, 2, 40, 50));
    assert_ne!(first, synthetic::generate(1, 3, 40, 50));
    assert_ne!(first, synthetic::generate(2, 2, 40, 50));
    assert_eq!((first.image.width, first.image.height, first.image.channels), (50, 40, 3));
}

#[test]
fn all_classes_occur_and_background_alone_scores_badly() {
    let dataset = synthetic::dataset(0, 60, 64, 64);
    let all: Vec<usize> = (0..dataset.len()).collect();
    let statistics = dataset.class_statistics(&all);
    let total: u64 = statistics.pixels.iter().sum();
    assert!(statistics.pixels.iter().all(|&n| 20 * n > total), "{:?}", statistics.pixels);
    // Predicting background everywhere has IoU n0 / total there and 0 elsewhere.
    assert!((statistics.pixels[0] as f64 / total as f64) / 5.0 < 0.25);
}

#[test]
fn any_size_can_be_generated() {
    for (height, width) in [(1, 1), (1, 30), (30, 1), (7, 5), (33, 90)] {
        let sample = synthetic::generate(0, 0, height, width);
        assert_eq!(sample.labels.labels.len(), height * width);
    }
}

#[test]
fn written_folders_open_as_the_same_data_set() {
    let root = tempdir().unwrap();
    synthetic::write(root.path(), 5, 6, 20, 24).unwrap();
    let (written, generated) =
        (Dataset::open(root.path(), &OpenOptions::default()).unwrap(), synthetic::dataset(5, 6, 20, 24));
    assert_eq!(written.classes(), generated.classes());
    for i in 0..6 {
        assert_eq!(written.name(i), generated.name(i));
        assert_eq!(written.load(i, Channels::Rgb).unwrap(), generated.load(i, Channels::Rgb).unwrap());
    }
    assert!(matches!(synthetic::write(root.path(), 5, 6, 0, 24), Err(DataError::Setting { .. })));
}
