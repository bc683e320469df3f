//! Dividing data sets and class weights.

use crate::common::put_pair;
use dapple_data::{
    ClassStatistics, Classes, DEFAULT_TRAIN_FRACTION, DataError, Dataset, Fold, LabelMap, LabelledImage,
    OpenOptions, Raster, Split, SplitSettings, synthetic,
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

/// Samples named as given, each with the labels given.
fn with_labels(samples: impl IntoIterator<Item = (String, Vec<u8>)>) -> Dataset {
    let pairs = samples.into_iter().map(|(name, labels)| {
        let image = Raster::new(labels.len(), 1, 1, vec![0; labels.len()]);
        (name, LabelledImage { image, labels: LabelMap { width: labels.len(), height: 1, labels } })
    });
    Dataset::from_memory(pairs, Classes::numbered(6), None).unwrap()
}

/// 100 samples of 10 videos; class 5 is in every tenth, class 4 in every third of the others.
fn videos() -> Dataset {
    with_labels((0..100).map(|i| {
        let rare = if i % 10 == 3 {
            5
        } else if i % 3 == 0 {
            4
        } else {
            1
        };
        (format!("video{}_{:03}", i / 10, i), vec![0, rare])
    }))
}

fn images_with(dataset: &Dataset, samples: &[usize], class: u8) -> usize {
    samples.iter().filter(|&&i| dataset.label_counts(i).iter().any(|c| c.0 == class)).count()
}

#[test]
fn stratified_parts_have_their_share_of_every_class() {
    let dataset = videos();
    for seed in 0..20 {
        let settings = SplitSettings { stratified: true, ..SplitSettings::new(seed, 0.8) };
        let parts = Split::with(&dataset, &settings).unwrap().indices(&dataset).unwrap();
        assert_eq!((parts.train.len(), parts.val.len()), (80, 20));
        assert_eq!(images_with(&dataset, &parts.val, 5), 2);
        let fourth = images_with(&dataset, &parts.val, 4) as f64;
        let all = images_with(&dataset, &(0..100).collect::<Vec<_>>(), 4) as f64;
        assert!((fourth - 0.2 * all).abs() <= 1.0, "{fourth} of {all}");
    }
}

#[test]
fn frames_of_a_video_stay_together() {
    let dataset = videos();
    for stratified in [false, true] {
        let settings = SplitSettings {
            group: Some("^(video[0-9]+)_".into()),
            stratified,
            ..SplitSettings::new(1, 0.75)
        };
        let split = Split::with(&dataset, &settings).unwrap();
        let video = |name: &String| name.split('_').next().unwrap().to_owned();
        let train: std::collections::BTreeSet<String> = split.train.iter().map(video).collect();
        assert!(split.val.iter().all(|name| !train.contains(&video(name))));
        assert!((70..=80).contains(&split.train.len()), "{}", split.train.len());
    }
    let bad = SplitSettings { group: Some("(".into()), ..SplitSettings::new(0, 0.5) };
    assert!(matches!(Split::with(&dataset, &bad), Err(DataError::Setting { setting: "group", .. })));
}

#[test]
fn folds_cover_everything_once() {
    let dataset = videos();
    for settings in [
        SplitSettings::new(4, 0.85),
        SplitSettings { stratified: true, ..SplitSettings::new(4, 0.85) },
        SplitSettings { group: Some("^video[0-9]".into()), ..SplitSettings::new(4, 0.85) },
    ] {
        let folds = Split::folds(&dataset, 5, &settings).unwrap();
        let mut seen: Vec<String> = folds.iter().flat_map(|fold| fold.val.clone()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 100);
        for fold in &folds {
            assert_eq!((fold.train.len(), fold.val.len()), (80, 20));
        }
        assert_eq!(folds[2].fold, Some(Fold { index: 2, count: 5 }));
        let path = tempdir().unwrap();
        folds[2].save(path.path().join("split.json")).unwrap();
        assert_eq!(Split::load(path.path().join("split.json")).unwrap(), folds[2]);
    }
    for (index, count) in [(0, 1), (5, 5), (0, 101)] {
        let settings = SplitSettings { fold: Some(Fold { index, count }), ..SplitSettings::new(0, 0.5) };
        assert!(
            matches!(Split::with(&dataset, &settings), Err(DataError::Setting { .. })),
            "{index} of {count}"
        );
    }
}

proptest! {
    #[test]
    fn groups_are_never_torn(n in 2_usize..60, videos in 1_usize..9, seed: u64, fraction in 0.05..0.95_f64, stratified: bool) {
        let dataset = with_labels((0..n).map(|i| (format!("v{}_{i:02}", i % videos), vec![(i % 6) as u8])));
        let settings = SplitSettings { group: Some("v[0-9]+".into()), stratified, ..SplitSettings::new(seed, fraction) };
        let parts = Split::with(&dataset, &settings).unwrap().indices(&dataset).unwrap();
        let mut all = [parts.train.clone(), parts.val.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        let of = |i: &usize| i % videos;
        prop_assert!(parts.val.iter().all(|v| parts.train.iter().all(|t| of(t) != of(v))));
        if videos.min(n) > 1 {
            prop_assert!(!parts.train.is_empty() && !parts.val.is_empty());
        }
    }
}
