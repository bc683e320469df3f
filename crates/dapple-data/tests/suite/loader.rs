//! Batches: order, repeatability, geometry, and ending early.

use std::sync::Arc;

use crate::common::{put, put_pair, rgb_png};
use dapple_data::{
    Augment, Batch, CacheSettings, Classes, DataError, Dataset, InputSettings, LabelMap, LabelledImage,
    Loader, LoaderSettings, Normalization, OpenOptions, Raster, Size, synthetic,
};
use proptest::prelude::*;
use tempfile::tempdir;

fn everything() -> Augment {
    Augment { flip_vertical: 0.5, crop: Some([20, 16]), ..Augment::light() }
}

fn settings() -> LoaderSettings {
    LoaderSettings {
        augment: everything(),
        shuffle: true,
        seed: 9,
        threads: 2,
        ..LoaderSettings::new(InputSettings::new(24, 20), 3)
    }
}

fn batches(dataset: &Arc<Dataset>, settings: LoaderSettings, epoch: u64, first: usize) -> Vec<Batch> {
    let samples = (0..dataset.len()).collect();
    let loader = Loader::new(Arc::clone(dataset), samples, settings).unwrap();
    loader.epoch_from(epoch, first).map(Result::unwrap).collect()
}

#[test]
fn the_same_for_any_number_of_threads_any_cache_and_any_start() {
    let dataset = Arc::new(synthetic::dataset(0, 11, 30, 26));
    for augment in [Augment::none(), Augment::light(), Augment::medium(), Augment::strong(), everything()] {
        let settings = LoaderSettings { augment, ..settings() };
        let expected = batches(&dataset, LoaderSettings { threads: 0, ..settings }, 4, 0);
        assert_eq!(expected.len(), 4);
        assert_eq!(expected[3].n, 2);
        for threads in [1, 2, 5] {
            let ram = |bytes| CacheSettings::Ram { bytes };
            for cache in [CacheSettings::None, ram(10_000), ram(1 << 20), CacheSettings::Disk] {
                let settings = LoaderSettings { threads, cache, prefetch: 3, ..settings };
                assert_eq!(batches(&dataset, settings, 4, 0), expected);
                assert_eq!(batches(&dataset, settings, 4, 2), expected[2..]);
            }
        }
        assert_ne!(batches(&dataset, settings, 5, 0)[0].indices, expected[0].indices);
    }
}

#[test]
fn a_kept_sample_serves_every_epoch() {
    let dataset = Arc::new(synthetic::dataset(0, 5, 30, 26));
    for cache in [CacheSettings::Ram { bytes: 1 << 20 }, CacheSettings::Disk] {
        let settings = LoaderSettings { cache, ..settings() };
        let kept = Loader::new(Arc::clone(&dataset), vec![0, 1, 2, 3, 4], settings).unwrap();
        for epoch in 0..3 {
            let from_cache: Vec<Batch> = kept.epoch(epoch).map(Result::unwrap).collect();
            let settings = LoaderSettings { cache: CacheSettings::None, ..settings };
            assert_eq!(from_cache, batches(&dataset, settings, epoch, 0));
        }
    }
}

#[test]
fn another_size_has_the_same_samples_and_changes() {
    let dataset = Arc::new(synthetic::dataset(0, 5, 30, 26));
    for augment in [Augment::none(), Augment::medium()] {
        let cache = CacheSettings::Ram { bytes: 1 << 20 };
        let settings = LoaderSettings { augment, cache, ..settings() };
        let loader = Loader::new(Arc::clone(&dataset), vec![0, 1, 2, 3, 4], settings).unwrap();
        let small = loader.resized(16, 12).unwrap();
        for epoch in 0..2 {
            let input = InputSettings::new(16, 12);
            let expected =
                batches(&dataset, LoaderSettings { input, cache: CacheSettings::None, ..settings }, epoch, 0);
            assert_eq!(small.epoch(epoch).map(Result::unwrap).collect::<Vec<_>>(), expected);
            let whole: Vec<Batch> = loader.epoch(epoch).map(Result::unwrap).collect();
            assert_eq!(
                whole,
                batches(&dataset, LoaderSettings { cache: CacheSettings::None, ..settings }, epoch, 0)
            );
        }
        assert!(loader.resized(0, 12).is_err());
    }
}

#[test]
fn an_epoch_has_every_sample_once_and_changes_do_not_depend_on_the_part() {
    let dataset = Arc::new(synthetic::dataset(0, 10, 30, 26));
    let all = batches(&dataset, settings(), 0, 0);
    let mut indices: Vec<usize> = all.iter().flat_map(|batch| batch.indices.clone()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..10).collect::<Vec<_>>());

    let single = LoaderSettings { batch: 1, ..settings() };
    let alone = Loader::new(Arc::clone(&dataset), vec![6], single).unwrap().epoch(0).next().unwrap().unwrap();
    let batch = all.iter().find(|batch| batch.indices.contains(&6)).unwrap();
    let place = batch.indices.iter().position(|&i| i == 6).unwrap();
    assert_eq!(batch.images.chunks(20 * 16 * 3).nth(place).unwrap(), alone.images);
}

#[test]
fn shares_of_batches_are_their_samples_in_order() {
    let dataset = Arc::new(synthetic::dataset(0, 10, 30, 26));
    let settings = LoaderSettings { augment: Augment::strong(), batch: 5, ..settings() };
    let whole = Loader::new(Arc::clone(&dataset), (0..10).collect(), settings).unwrap();
    let shares: Vec<Loader> = (0..3).map(|part| whole.share(part, 3).unwrap()).collect();
    for epoch in 0..2 {
        let mut shares: Vec<_> = shares.iter().map(|share| share.epoch(epoch)).collect();
        for batch in whole.epoch(epoch) {
            let batch = batch.unwrap();
            let parts: Vec<Batch> = shares.iter_mut().map(|share| share.next().unwrap().unwrap()).collect();
            assert_eq!(parts.iter().map(|part| part.n).collect::<Vec<_>>(), [1, 2, 2]);
            assert_eq!(parts.iter().flat_map(|part| part.indices.clone()).collect::<Vec<_>>(), batch.indices);
            assert!(parts.iter().flat_map(|part| part.images.clone()).eq(batch.images));
            assert!(parts.iter().flat_map(|part| part.labels.clone()).eq(batch.labels));
        }
    }
    assert!(whole.share(3, 3).is_err() && whole.share(0, 6).is_err());
}

#[test]
fn incomplete_batches_can_be_left_out() {
    let dataset = Arc::new(synthetic::dataset(0, 10, 8, 8));
    let settings = LoaderSettings { drop_last: true, ..settings() };
    let loader = Loader::new(Arc::clone(&dataset), (0..10).collect(), settings).unwrap();
    assert_eq!((loader.batches_per_epoch(), loader.epoch(0).len(), loader.epoch(0).count()), (3, 3, 3));
    assert_eq!(loader.epoch_from(0, 7).count(), 0);
    assert_eq!(loader.output_size(), Size { height: 20, width: 16 });
    let too_few = Loader::new(dataset, vec![0, 1], settings);
    assert!(matches!(too_few, Err(DataError::Setting { setting: "batch", .. })));
}

#[test]
fn dropping_an_epoch_early_ends_its_threads() {
    let dataset = Arc::new(synthetic::dataset(0, 40, 16, 16));
    let settings = LoaderSettings { batch: 1, threads: 4, prefetch: 4, ..settings() };
    let loader = Loader::new(Arc::clone(&dataset), (0..40).collect(), settings).unwrap();
    let mut epoch = loader.epoch(0);
    assert!(epoch.next().unwrap().is_ok());
    drop(epoch);
    drop(loader);
    // Threads hold the data set: that nobody else does shows that they have ended.
    assert_eq!(Arc::strong_count(&dataset), 1);
}

#[test]
fn an_error_names_the_file_and_the_batches_around_it_come() {
    let root = tempdir().unwrap();
    for name in ["a", "b", "c"] {
        put_pair(root.path(), &format!("images/{name}.png"), &format!("masks/{name}.png"), &[0, 1]);
    }
    let dataset = Arc::new(Dataset::open(root.path(), &OpenOptions::default()).unwrap());
    put(root.path(), "images/b.png", &rgb_png(4, 3)[..60]);
    for threads in [0, 2] {
        let settings = LoaderSettings { threads, ..LoaderSettings::new(InputSettings::new(4, 4), 1) };
        let loader = Loader::new(Arc::clone(&dataset), vec![0, 1, 2], settings).unwrap();
        let results: Vec<_> = loader.epoch(0).collect();
        assert!(results[0].is_ok() && results[2].is_ok());
        assert!(results[1].as_ref().unwrap_err().to_string().contains("b.png"));
    }
}

#[test]
fn settings_are_checked() {
    let dataset = Arc::new(synthetic::dataset(0, 3, 8, 8));
    let with = |augment| LoaderSettings { augment, ..settings() };
    for settings in [
        LoaderSettings { batch: 0, ..settings() },
        LoaderSettings { prefetch: 0, ..settings() },
        with(Augment { flip_horizontal: 1.5, ..Augment::none() }),
        with(Augment { zoom: f64::NAN, ..Augment::none() }),
        with(Augment { contrast: -0.1, ..Augment::none() }),
        with(Augment { crop: Some([25, 20]), ..Augment::none() }),
    ] {
        assert!(matches!(
            Loader::new(Arc::clone(&dataset), vec![0], settings),
            Err(DataError::Setting { .. })
        ));
    }
    assert!(Loader::new(Arc::clone(&dataset), vec![3], settings()).is_err());
    assert!(Loader::new(dataset, vec![], settings()).is_err());
    assert!(toml::from_str::<Augment>("flip = 0.5").is_err());
    let text = toml::to_string(&everything()).unwrap();
    assert_eq!(toml::from_str::<Augment>(&text).unwrap(), everything());
}

/// One sample whose image is its label map, 10 for each label, in blocks of 8 x 8 with a label each.
fn blocks(height: usize, width: usize) -> Arc<Dataset> {
    let labels: Vec<u8> = (0..height * width).map(|i| (i / width / 8 * 5 + i % width / 8) as u8).collect();
    let image = Raster::new(width, height, 1, labels.iter().map(|&l| l * 10).collect());
    let pair = LabelledImage { image, labels: LabelMap { width, height, labels } };
    Arc::new(Dataset::from_memory([("blocks".to_owned(), pair)], Classes::numbered(25), None).unwrap())
}

fn grey_input(height: usize, width: usize) -> InputSettings {
    InputSettings { channels: 1, normalization: Normalization::Unit, ..InputSettings::new(height, width) }
}

#[test]
fn flips_and_crops_move_image_and_mask_alike_to_the_pixel() {
    let dataset = blocks(40, 40);
    let augment =
        Augment { flip_horizontal: 0.5, flip_vertical: 0.5, crop: Some([29, 35]), ..Augment::none() };
    let settings = LoaderSettings { augment, ..LoaderSettings::new(grey_input(40, 40), 1) };
    let mut first_labels = std::collections::BTreeSet::new();
    for epoch in 0..60 {
        let batch = batches(&dataset, settings, epoch, 0).remove(0);
        assert_eq!((batch.h, batch.w), (29, 35));
        for (value, &label) in batch.images.iter().zip(&batch.labels) {
            assert_eq!((value * 25.5).round() as u8, label);
        }
        first_labels.insert(batch.labels[0]);
    }
    assert!(
        [0, 4, 20, 24].iter().all(|corner| first_labels.contains(corner)),
        "all four flips: {first_labels:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Image and mask of a zoomed, resized sample agree wherever no edge of a block is near.
    #[test]
    fn zoom_and_resizing_move_image_and_mask_alike(h in 20_usize..70, w in 20_usize..70, zoom in 0.0..0.5, epoch: u64) {
        let augment = Augment { flip_horizontal: 0.5, flip_vertical: 0.5, zoom, ..Augment::none() };
        let settings = LoaderSettings { augment, threads: 0, ..LoaderSettings::new(grey_input(h, w), 1) };
        let batch = batches(&blocks(40, 40), settings, epoch, 0).remove(0);
        let label = |y: usize, x: usize| batch.labels[y * w + x];
        for y in 2..h - 2 {
            for x in 2..w - 2 {
                let flat = (y - 2..=y + 2).all(|j| (x - 2..=x + 2).all(|i| label(j, i) == label(y, x)));
                if flat {
                    prop_assert_eq!((batch.images[y * w + x] * 25.5).round() as u8, label(y, x));
                }
            }
        }
    }

    #[test]
    fn colour_changes_leave_labels_alone_and_values_in_range(amount in 0.0..0.9, epoch in 0_u64..1000) {
        let dataset = Arc::new(synthetic::dataset(0, 1, 12, 12));
        let augment = Augment { brightness: amount, contrast: amount, saturation: amount, ..Augment::none() };
        let input = InputSettings { normalization: Normalization::Unit, ..InputSettings::new(12, 12) };
        let settings = LoaderSettings { augment, ..LoaderSettings::new(input, 1) };
        let batch = batches(&dataset, settings, epoch, 0).remove(0);
        prop_assert_eq!(batch.labels, dataset.labels(0).unwrap().labels);
        prop_assert!(batch.images.iter().all(|v| (0.0..=1.0).contains(v)));
    }
}
