//! Images without labels.

use std::fs;
use std::sync::Arc;

use crate::common::{put, put_pair, rgb_png};
use dapple_data::{
    Augment, BEYOND, Batch, CacheSettings, Channels, DataError, Dataset, InputSettings, Loader,
    LoaderSettings, OpenOptions, synthetic,
};
use tempfile::tempdir;

fn labelled(root: &std::path::Path) -> Dataset {
    put_pair(root, "images/a.png", "masks/a.png", &[0, 1]);
    put_pair(root, "images/b.png", "masks/b.png", &[1, 0]);
    Dataset::open(root, &OpenOptions::default()).unwrap()
}

#[test]
fn labels_of_unlabelled_images_are_never_read() {
    let root = tempdir().unwrap();
    let dataset = labelled(root.path());
    // Masks that no reader could take lie beside the folder, and in none of the ways a data set is recognized by.
    put(root.path(), "more/images/c.png", &rgb_png(5, 4));
    put(root.path(), "more/images/deep/d.png", &rgb_png(3, 2));
    put(root.path(), "more/masks/c.png", b"not a mask");
    let images = dataset.unlabelled(root.path().join("more/images"), Channels::Rgb).unwrap();
    let names: Vec<String> = (0..images.len()).map(|i| images.name(i).replace('\\', "/")).collect();
    assert_eq!(names, ["c.png", "deep/d.png"]);
    let sample = images.load(0, Channels::Rgb).unwrap();
    assert_eq!((sample.image.width, sample.image.height), (5, 4));
    assert!(sample.labels.labels.iter().all(|&label| label == 0));
    assert_eq!((images.ignore(), images.label_paths(0).len()), (Some(BEYOND), 0));
    assert_eq!(images.classes().names, dataset.classes().names);
}

#[test]
fn folders_with_masks_without_images_and_with_broken_ones_are_refused() {
    let root = tempdir().unwrap();
    let dataset = labelled(root.path());
    let refused =
        |folder: &std::path::Path| dataset.unlabelled(folder, Channels::Rgb).unwrap_err().to_string();
    assert!(refused(root.path()).contains("is a data set with masks"), "{}", refused(root.path()));
    let empty = tempdir().unwrap();
    let error = dataset.unlabelled(empty.path(), Channels::Rgb).unwrap_err();
    assert!(matches!(error, DataError::EmptyFolder { .. }), "{error}");
    put(empty.path(), "a.heic", b"");
    assert!(refused(empty.path()).contains("1 HEIC (a.heic)"), "{}", refused(empty.path()));
    put(empty.path(), "a.png", &rgb_png(4, 3));
    put(empty.path(), "b.png", b"cut off");
    assert!(refused(empty.path()).contains("b.png"));
    fs::remove_file(empty.path().join("b.png")).unwrap();
    assert_eq!(dataset.unlabelled(empty.path(), Channels::Rgb).unwrap().len(), 1);
}

#[test]
fn repainted_samples_show_the_same_places() {
    let dataset = Arc::new(synthetic::dataset(0, 6, 30, 26));
    for places in [Augment::none(), Augment::light(), Augment::medium()] {
        let plain = places.painted_as(&Augment::none());
        let settings = LoaderSettings {
            augment: plain,
            shuffle: true,
            seed: 3,
            cache: CacheSettings::Ram { bytes: 1 << 20 },
            ..LoaderSettings::new(InputSettings::new(24, 20), 3)
        };
        let plain = Loader::new(Arc::clone(&dataset), (0..6).collect(), settings).unwrap();
        let strong = plain.repainted(places.painted_as(&Augment::strong())).unwrap();
        let batches = |loader: &Loader| -> Vec<Batch> { loader.epoch(2).map(Result::unwrap).collect() };
        for (plain, strong) in batches(&plain).iter().zip(&batches(&strong)) {
            assert_eq!((&plain.labels, &plain.indices), (&strong.labels, &strong.indices));
            assert_ne!(plain.images, strong.images);
        }
        assert!(plain.repainted(Augment { flip_vertical: 0.5, ..places }).is_err());
    }
}
