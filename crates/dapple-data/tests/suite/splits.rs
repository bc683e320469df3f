//! Dividing data sets and class weights.

use crate::common::put_pair;
use dapple_data::{
    ClassStatistics, DEFAULT_TRAIN_FRACTION, DataError, Dataset, OpenOptions, Split, synthetic,
};
use proptest::prelude::*;
use tempfile::tempdir;

#[test]
fn the_horses_are_divided_as_in_the_literature() {
    let dataset = synthetic::dataset(0, 327, 2, 2);
    let split = Split::new(&dataset, 7, DEFAULT_TRAIN_FRACTION).unwrap();
    assert_eq!((split.train.len(), split.val.len(), split.test.len()), (277, 50, 0));
    assert_ne!(split.train, Split::new(&dataset, 8, DEFAULT_TRAIN_FRACTION).unwrap().train);
}

#[test]
fn fractions_are_checked() {
    let dataset = synthetic::dataset(0, 4, 2, 2);
    for fraction in [0.0, -1.0, 1.1, f64::NAN] {
        assert!(matches!(Split::new(&dataset, 0, fraction), Err(DataError::Setting { .. })));
    }
    assert_eq!(Split::new(&dataset, 0, 1.0).unwrap().val.len(), 0);
    assert_eq!(Split::new(&dataset, 0, 0.99).unwrap().val.len(), 1);
    assert_eq!(Split::new(&dataset, 0, 0.01).unwrap().train.len(), 1);
}

#[test]
fn official_parts_are_kept_and_a_missing_validation_part_is_made() {
    let root = tempdir().unwrap();
    for i in 0..10 {
        put_pair(root.path(), &format!("train/{i}.png"), &format!("trainmask/{i}.png"), &[0, 1]);
    }
    put_pair(root.path(), "test/t.png", "testmask/t.png", &[0, 1]);
    let open = || Dataset::open(root.path(), &OpenOptions::default()).unwrap();
    let split = Split::new(&open(), 0, 0.8).unwrap();
    assert_eq!((split.train.len(), split.val.len()), (8, 2));
    assert_eq!(split.test, ["test/t"]);
    put_pair(root.path(), "val/v.png", "valmask/v.png", &[0, 1]);
    let split = Split::new(&open(), 0, 0.8).unwrap();
    assert_eq!((split.train.len(), split.val.len()), (10, 1));
}

#[test]
fn a_split_is_saved_and_applied_by_name() {
    let root = tempdir().unwrap();
    let path = root.path().join("split.json");
    let dataset = synthetic::dataset(0, 10, 2, 2);
    let split = Split::new(&dataset, 3, 0.7).unwrap();
    split.save(&path).unwrap();
    assert_eq!(Split::load(&path).unwrap(), split);
    let parts = split.indices(&dataset).unwrap();
    assert_eq!((parts.train.len(), parts.val.len()), (7, 3));
    assert_eq!(dataset.name(parts.train[4]), split.train[4]);

    let fewer = synthetic::dataset(0, 8, 2, 2);
    let error = split.indices(&fewer).unwrap_err();
    assert!(matches!(error, DataError::UnknownName { missing: 2, .. }), "{error}");
    std::fs::write(&path, b"{\"train\": []}").unwrap();
    assert!(Split::load(&path).unwrap_err().to_string().contains("split.json"));
}

#[test]
fn median_frequency_weights_by_hand() {
    let mut statistics = ClassStatistics::new(4);
    statistics.add_image(100, [(0, 50), (1, 40)].into_iter());
    statistics.add_image(100, [(0, 90), (2, 10)].into_iter());
    // Frequencies 140 / 200, 40 / 100, 10 / 100; the median is 0.4. Class 3 is absent.
    let weights = statistics.median_frequency_weights();
    for (weight, expected) in weights.iter().zip([0.4 / 0.7, 1.0, 4.0, 0.0]) {
        assert!((weight - expected).abs() < 1e-6, "{weights:?}");
    }
    assert_eq!(ClassStatistics::new(2).median_frequency_weights(), [0.0, 0.0]);
}

proptest! {
    #[test]
    fn every_sample_is_in_one_part(n in 1_usize..60, seed: u64, fraction in 0.01..1.0_f64) {
        let dataset = synthetic::dataset(0, n, 1, 1);
        let parts = Split::new(&dataset, seed, fraction).unwrap().indices(&dataset).unwrap();
        let mut all = [parts.train.clone(), parts.val.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        prop_assert!(!parts.train.is_empty() && (n == 1 || !parts.val.is_empty()));
    }
}
