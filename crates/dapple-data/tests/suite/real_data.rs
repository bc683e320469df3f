//! The Weizmann horses and CamVid, where the folder that holds them is named by `DAPPLE_DATA`.

use std::path::PathBuf;

use dapple_data::{DEFAULT_TRAIN_FRACTION, Dataset, OpenOptions, Split};

fn folder(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DAPPLE_DATA").map(|root| PathBuf::from(root).join(name));
    let found = folder.filter(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: set DAPPLE_DATA to a folder that holds {name}");
    }
    found
}

#[test]
fn weizmann_horses() {
    let Some(folder) = folder("weizmann_horse_db") else { return };
    let dataset = Dataset::open(folder, &OpenOptions::default()).unwrap();
    assert_eq!(dataset.len(), 327);
    assert_eq!(dataset.classes().names, ["background", "horse"]);
    let split = Split::new(&dataset, 0, DEFAULT_TRAIN_FRACTION).unwrap();
    assert_eq!((split.train.len(), split.val.len()), (277, 50));
}

/// The weights of SegNet's tutorial follow from these masks where label 11 counts as a class and in the median; the one of
/// sign symbols (9.6446; the masks give 3.53) does not, whichever way it is counted.
#[test]
fn camvid_class_weights_are_near_the_published_ones() {
    const PUBLISHED: [f32; 11] =
        [0.2595, 0.1826, 4.564, 0.1417, 0.9051, 0.3826, 9.6446, 1.8418, 0.6823, 6.2478, 7.3614];
    const SIGN_SYMBOL: usize = 6;
    let Some(folder) = folder("CamVid") else { return };
    let dataset = Dataset::open(folder, &OpenOptions::default()).unwrap();
    let parts = Split::new(&dataset, 0, 0.5).unwrap().indices(&dataset).unwrap();
    assert_eq!((parts.train.len(), parts.val.len()), (367, 101));
    assert_eq!(dataset.classes().names[SIGN_SYMBOL], "sign symbol");
    let weights = dataset.class_statistics(&parts.train).median_frequency_weights();
    for (class, (weight, published)) in weights.iter().zip(PUBLISHED).enumerate() {
        let ratio = weight / published;
        assert!(
            class == SIGN_SYMBOL || (0.89..1.11).contains(&ratio),
            "class {class}: {weight} for {published}"
        );
    }
}
