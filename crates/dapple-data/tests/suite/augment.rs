//! Random changes: image and mask stay together, whatever is done.

use std::sync::Arc;

use dapple_data::{
    Augment, Border, Channels, Classes, DataError, Dataset, InputSettings, LabelMap, LabelledImage, Loader,
    LoaderSettings, Raster, synthetic,
};
use proptest::prelude::*;

/// A picture whose value is 10 times its label, in blocks of 10 x 10.
fn blocks(height: usize, width: usize, channels: usize) -> Arc<Dataset> {
    let labels: Vec<u8> =
        (0..height * width).map(|i| ((i / width / 10 * 7 + i % width / 10) % 25) as u8).collect();
    let data = labels.iter().flat_map(|&l| vec![l * 10; channels]).collect();
    let pair = LabelledImage {
        image: Raster::new(width, height, channels, data),
        labels: LabelMap { width, height, labels },
    };
    Arc::new(Dataset::from_memory([("blocks".to_owned(), pair)], Classes::numbered(25), Some(255)).unwrap())
}

fn changed(dataset: &Arc<Dataset>, input: InputSettings, augment: Augment, epoch: u64) -> LabelledImage {
    let settings = LoaderSettings { augment, ..LoaderSettings::new(input, 1) };
    let all = (0..dataset.len()).collect();
    Loader::new(Arc::clone(dataset), all, settings).unwrap().changed_sample(epoch, 0).unwrap()
}

fn geometry() -> Augment {
    Augment {
        flip_horizontal: 0.5,
        flip_vertical: 0.5,
        rotate: 180.0,
        scale: 0.8,
        shear: 15.0,
        perspective: 0.1,
        elastic: 0.01,
        ..Augment::none()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Wherever the labels around a pixel are all alike, image and mask say the same.
    #[test]
    fn one_warp_moves_image_and_mask_alike(
        h in 40_usize..90, w in 40_usize..90, channels in 1_usize..5, zoom in 0.0..0.4, epoch: u64, pad: bool,
    ) {
        let border = if pad { Border::Pad } else { Border::Mirror };
        let input = InputSettings { channels, ..InputSettings::new(h, w) };
        let sample = changed(&blocks(70, 70, channels), input, Augment { zoom, border, ..geometry() }, epoch);
        prop_assert_eq!((sample.image.width, sample.image.height), (w, h));
        let label = |y: usize, x: usize| sample.labels.labels[y * w + x];
        for y in 3..h - 3 {
            for x in 3..w - 3 {
                let flat = (y - 3..=y + 3).all(|j| (x - 3..=x + 3).all(|i| label(j, i) == label(y, x)));
                if flat && label(y, x) != 255 {
                    let pixel = &sample.image.data[(y * w + x) * channels..][..channels];
                    for &value in pixel {
                        prop_assert!(value.abs_diff(label(y, x) * 10) <= 1, "{} at {},{}: {:?}", label(y, x), x, y, pixel);
                    }
                }
            }
        }
    }

    #[test]
    fn every_preset_gives_samples_of_the_right_size(h in 1_usize..60, w in 1_usize..60, epoch: u64, preset in 0..3) {
        let augment = [Augment::light(), Augment::medium(), Augment::strong()][preset as usize];
        let dataset = Arc::new(synthetic::dataset(0, 3, 33, 21));
        let sample = changed(&dataset, InputSettings::new(h, w), augment, epoch);
        prop_assert_eq!(sample.image.data.len(), h * w * 3);
        prop_assert!(sample.labels.labels.iter().all(|&label| usize::from(label) < 5));
    }
}

#[test]
fn a_warp_that_moves_nothing_leaves_everything() {
    let dataset = Arc::new(synthetic::dataset(3, 1, 40, 52));
    let still = Augment { rotate: 1e-12, ..Augment::none() };
    let sample = changed(&dataset, InputSettings::new(40, 52), still, 5);
    assert_eq!(sample, dataset.load(0, Channels::Rgb).unwrap());
}

#[test]
fn shrinking_averages_instead_of_skipping() {
    // A fine chessboard shrunk to a quarter is an even grey.
    let data = (0..160 * 160).map(|i| if (i / 160 + i % 160) % 2 == 0 { 200 } else { 0 }).collect();
    let labels = LabelMap { width: 160, height: 160, labels: vec![0; 160 * 160] };
    let pair = LabelledImage { image: Raster::new(160, 160, 1, data), labels };
    let dataset =
        Arc::new(Dataset::from_memory([("a".to_owned(), pair)], Classes::numbered(2), None).unwrap());
    let input = InputSettings { channels: 1, ..InputSettings::new(40, 40) };
    let sample = changed(&dataset, input, Augment { rotate: 10.0, ..Augment::none() }, 1);
    assert!(sample.image.data.iter().all(|v| v.abs_diff(100) <= 2), "{:?}", &sample.image.data[..40]);
}

#[test]
fn padding_has_the_ignore_label_or_the_background() {
    let shrunk = Augment { scale: 1.0, border: Border::Pad, ..Augment::none() };
    let input = InputSettings::new(70, 70);
    let dataset = blocks(70, 70, 3);
    let padded = |dataset: &Arc<Dataset>| {
        (0..20)
            .map(|epoch| changed(dataset, input, shrunk, epoch))
            .find(|s| s.image.data[..3] == [124, 116, 104])
    };
    assert_eq!(padded(&dataset).unwrap().labels.labels[0], 255);
    let mut pair = dataset.load(0, Channels::Rgb).unwrap();
    pair.labels.labels.fill(1);
    let without = Dataset::from_memory([("a".to_owned(), pair)], Classes::numbered(25), None).unwrap();
    assert_eq!(padded(&Arc::new(without)).unwrap().labels.labels[0], 0);
}

#[test]
fn balanced_crops_show_rare_classes() {
    // One pixel in 10 000 has class 1.
    let mut labels = vec![0; 100 * 100];
    labels[100 * 31 + 77] = 1;
    let pair = LabelledImage {
        image: Raster::new(100, 100, 1, vec![9; 100 * 100]),
        labels: LabelMap { width: 100, height: 100, labels },
    };
    let dataset =
        Arc::new(Dataset::from_memory([("a".to_owned(), pair)], Classes::numbered(2), None).unwrap());
    let input = InputSettings { channels: 1, ..InputSettings::new(100, 100) };
    let seen = |balanced| {
        let augment = Augment { crop: Some([20, 20]), balanced, ..Augment::none() };
        (0..200).filter(|&epoch| changed(&dataset, input, augment, epoch).labels.labels.contains(&1)).count()
    };
    let (without, with) = (seen(0.0), seen(1.0));
    assert!(without < 25 && (75..=130).contains(&with), "{without} and {with} of 200");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rare classes are seen more often, the rarest most, in crops whose image and mask still say the same.
    #[test]
    fn crops_around_rare_classes_show_them_more_often_and_keep_image_and_mask_together(
        (x, y) in (0_usize..74, 0_usize..80), crop in 16_usize..40, flip: bool, ignored: bool,
    ) {
        // Class 2 has 6 pixels, class 1 has 400, and class 3 is ignored or has as many as class 1.
        let (side, mut labels) = (80, vec![0_u8; 80 * 80]);
        for (at, label) in labels.iter_mut().enumerate() {
            let (row, column) = (at / side, at % side);
            *label = match (row, column) {
                (row, column) if row == y && (x..x + 6).contains(&column) => 2,
                (0..20, 0..20) => 1,
                (60..80, 60..80) => 3,
                _ => 0,
            };
        }
        let pair = LabelledImage {
            image: Raster::new(side, side, 1, labels.iter().map(|&label| label * 40).collect()),
            labels: LabelMap { width: side, height: side, labels },
        };
        let classes = Classes::numbered(if ignored { 3 } else { 4 });
        let ignore = ignored.then_some(3);
        let dataset = Arc::new(Dataset::from_memory([("a".to_owned(), pair)], classes, ignore).unwrap());
        let input = InputSettings { channels: 1, ..InputSettings::new(side, side) };
        let seen = |rare| {
            let augment = Augment {
                crop: Some([crop, crop]),
                flip_horizontal: f64::from(u8::from(flip)),
                rare,
                ..Augment::none()
            };
            let mut seen = [0; 4];
            for epoch in 0..40 {
                let sample = changed(&dataset, input, augment, epoch);
                let pairs = sample.image.data.iter().zip(&sample.labels.labels);
                assert!(pairs.clone().all(|(value, label)| *value == label * 40), "image and mask differ");
                for label in 0..4_u8 {
                    seen[usize::from(label)] += usize::from(sample.labels.labels.contains(&label));
                }
            }
            seen
        };
        let (without, with) = (seen(0.0), seen(1.0));
        // By the inverses of their shares, class 2 is chosen for at least 97 of 100 crops.
        prop_assert!(with[2] >= 30, "{:?} and {:?}", without, with);
        prop_assert!(with[2] > without[2] || without[2] >= 34, "{:?} and {:?}", without, with);
        prop_assert_eq!(seen(0.0), without, "the same draws");
    }
}

#[test]
fn images_without_a_rare_class_are_cropped_anywhere() {
    let dataset = Arc::new(synthetic::dataset(1, 1, 32, 32));
    let all_alike = {
        let mut pair = dataset.load(0, Channels::Rgb).unwrap();
        pair.labels.labels.fill(1);
        Arc::new(Dataset::from_memory([("a".to_owned(), pair)], Classes::numbered(5), None).unwrap())
    };
    let crops = |rare| Augment { crop: Some([16, 16]), rare, ..Augment::none() };
    for epoch in 0..4 {
        let [without, with] =
            [0.0, 1.0].map(|rare| changed(&all_alike, InputSettings::new(32, 32), crops(rare), epoch));
        assert_eq!(without, with);
    }
}

#[test]
fn mixing_takes_labels_along() {
    // Three samples, each of one value and one label.
    let pair = |label: u8| {
        let labels = LabelMap { width: 30, height: 20, labels: vec![label; 600] };
        (format!("{label}"), LabelledImage { image: Raster::new(30, 20, 1, vec![label * 80; 600]), labels })
    };
    let dataset = Dataset::from_memory((0..3).map(pair), Classes::numbered(3), None).unwrap();
    let dataset = Arc::new(dataset);
    let input = InputSettings { channels: 1, ..InputSettings::new(20, 30) };
    for augment in [Augment { mosaic: 1.0, ..Augment::none() }, Augment { cutmix: 1.0, ..Augment::none() }] {
        let mut mixed = 0;
        for epoch in 0..30 {
            let sample = changed(&dataset, input, augment, epoch);
            assert!(sample.image.data.iter().zip(&sample.labels.labels).all(|(v, l)| *v == l * 80));
            mixed += usize::from(sample.labels.labels.iter().any(|&l| l != 0));
        }
        assert!(mixed > 15, "{mixed}");
    }
}

#[test]
fn looks_change_and_labels_do_not() {
    let dataset = Arc::new(synthetic::dataset(1, 1, 32, 32));
    let input = InputSettings::new(32, 32);
    let plain = dataset.load(0, Channels::Rgb).unwrap();
    let none = Augment::none;
    for (name, augment) in [
        ("hue", Augment { hue: 90.0, ..none() }),
        ("gamma", Augment { gamma: 1.0, ..none() }),
        ("grey", Augment { grey: 1.0, ..none() }),
        ("blur", Augment { blur: 1.0, ..none() }),
        ("noise", Augment { noise: 1.0, ..none() }),
        ("jpeg", Augment { jpeg: 1.0, ..none() }),
        ("cutout", Augment { cutout: 1.0, ..none() }),
    ] {
        let sample = changed(&dataset, input, augment, 3);
        assert_eq!(sample.labels, plain.labels, "{name}");
        assert_ne!(sample.image, plain.image, "{name}");
        let mean = |raster: &Raster| raster.data.iter().map(|&v| f64::from(v)).sum::<f64>() / 3072.0;
        if !matches!(name, "gamma") {
            assert!((mean(&sample.image) - mean(&plain.image)).abs() < 12.0, "{name}");
        }
        if name == "grey" {
            assert!(sample.image.data.as_chunks::<3>().0.iter().all(|p| p[0] == p[1] && p[1] == p[2]));
        }
    }
}

#[test]
fn hue_keeps_greys_and_brightness() {
    let data: Vec<u8> =
        (0..=255_u8).flat_map(|v| [v; 3]).chain((0..=255).flat_map(|v| [v / 2, 128, 255 - v / 2])).collect();
    let pair = LabelledImage {
        image: Raster::new(256, 2, 3, data),
        labels: LabelMap { width: 256, height: 2, labels: vec![0; 512] },
    };
    let dataset =
        Arc::new(Dataset::from_memory([("a".to_owned(), pair)], Classes::numbered(2), None).unwrap());
    let sample = changed(&dataset, InputSettings::new(2, 256), Augment { hue: 20.0, ..Augment::none() }, 0);
    for (v, pixel) in (0..=255_u8).zip(sample.image.data.as_chunks::<3>().0) {
        assert!(pixel.iter().all(|p| p.abs_diff(v) <= 1), "{v} became {pixel:?}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let dataset = Arc::new(synthetic::dataset(0, 1, 8, 8));
    for augment in [
        Augment { rotate: 181.0, ..Augment::none() },
        Augment { perspective: 0.3, ..Augment::none() },
        Augment { scale: f64::NAN, ..Augment::none() },
        Augment { mosaic: 2.0, ..Augment::none() },
    ] {
        let settings = LoaderSettings { augment, ..LoaderSettings::new(InputSettings::new(8, 8), 1) };
        let error = Loader::new(Arc::clone(&dataset), vec![0], settings).unwrap_err();
        assert!(matches!(error, DataError::Setting { .. }), "{error}");
    }
    let strong = toml::to_string(&Augment::strong()).unwrap();
    assert_eq!(toml::from_str::<Augment>(&strong).unwrap(), Augment::strong());
}
