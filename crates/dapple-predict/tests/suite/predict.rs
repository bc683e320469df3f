//! Ensembles, flips, scales, batches and tiles.

use crate::common::{model, picture, predictor, segmenter};
use dapple_base::{Size, StopFlag};
use dapple_data::Raster;
use dapple_nets::checkpoint::Normalization;
use dapple_predict::source::PhotoRows;
use dapple_predict::{PredictSettings, Predictor, Tiling, UNDECIDED, Wants, WorkingSize};

fn close(found: &[f32], wanted: &[f32], within: f32) {
    assert_eq!(found.len(), wanted.len());
    let worst = found.iter().zip(wanted).map(|(f, w)| (f - w).abs()).fold(0.0, f32::max);
    assert!(worst <= within, "the largest difference is {worst}");
}

fn mirrored(image: &Raster) -> Raster {
    let rows = image.data.chunks_exact(image.width * 3);
    let data = rows.flat_map(|row| row.rchunks_exact(3).flatten().copied()).collect();
    Raster { data, ..*image }
}

#[test]
fn one_model_alone_predicts_as_the_segmenter_does() {
    let image = picture(91, 50);
    for classes in [2, 4] {
        let file = model("unet", classes, Normalization::ImageNet, 7);
        let wanted = segmenter(file.clone()).predict(&image).expect("a prediction");
        let found = predictor(file, PredictSettings::default()).predict(&image).expect("a prediction");
        assert_eq!(found.labels(), wanted.labels());
        for class in 0..classes {
            assert_eq!(found.probability(class), wanted.probability(class));
        }
    }
}

#[test]
fn with_flips_a_mirrored_image_has_the_mirrored_prediction() {
    let image = picture(64, 64);
    let settings = PredictSettings { flip_horizontal: true, ..PredictSettings::default() };
    let predictor = predictor(model("unet", 2, Normalization::Unit, 1), settings);
    let straight = predictor.predict(&image).expect("a prediction").probability(1);
    let turned = predictor.predict(&mirrored(&image)).expect("a prediction").probability(1);
    let back: Vec<f32> = turned.chunks_exact(64).flat_map(|row| row.iter().rev().copied()).collect();
    close(&straight, &back, 1e-4);
}

#[test]
fn an_ensemble_is_the_mean() {
    let image = picture(70, 40);
    let files = [1, 2].map(|seed| model("unet", 3, Normalization::ImageNet, seed));
    let alone = files.clone().map(|file| {
        predictor(file, PredictSettings::default()).predict(&image).expect("a prediction").probability(2)
    });
    let mean: Vec<f32> = alone[0].iter().zip(&alone[1]).map(|(a, b)| (a + b) / 2.0).collect();
    let together = Predictor::new(files.map(segmenter).into(), PredictSettings::default())
        .expect("models of the same classes");
    let prediction = together.predict(&image).expect("a prediction");
    close(&prediction.probability(2), &mean, 1e-5);
    assert!(prediction.uncertainty().iter().all(|u| (0.0..=1.0).contains(u)));

    let other = [model("unet", 3, Normalization::Unit, 0), model("unet", 2, Normalization::Unit, 0)];
    let Err(error) = Predictor::new(other.map(segmenter).into(), PredictSettings::default()) else {
        panic!("models of different classes")
    };
    assert!(error.to_string().contains("class 0, class 1"), "{error}");
}

#[test]
fn the_same_models_predict_with_other_settings() {
    let image = picture(64, 48);
    let file = model("unet", 2, Normalization::ImageNet, 5);
    let flipped = PredictSettings { flip_horizontal: true, ..PredictSettings::default() };
    let loaded = predictor(file.clone(), PredictSettings::default());
    let shared = loaded.with_settings(flipped.clone()).expect("settings in range");
    let wanted = predictor(file, flipped).predict(&image).expect("a prediction");
    assert_eq!(shared.predict(&image).expect("a prediction").probability(1), wanted.probability(1));
    let wrong = PredictSettings { threshold: Some(2.0), ..PredictSettings::default() };
    assert!(loaded.with_settings(wrong).is_err());
}

#[test]
fn thresholds_decide() {
    let image = picture(40, 40);
    let two = |threshold| {
        let settings = PredictSettings { threshold, ..PredictSettings::default() };
        predictor(model("unet", 2, Normalization::Unit, 3), settings).predict(&image).expect("a prediction")
    };
    let probability = two(None).probability(1);
    let mut sorted = probability.clone();
    sorted.sort_by(f32::total_cmp);
    let middle = sorted[sorted.len() / 2];
    let wanted: Vec<u8> = probability.iter().map(|&p| u8::from(p > middle)).collect();
    assert_eq!(two(Some(middle)).labels(), wanted);

    let settings = PredictSettings { threshold: Some(1.0), ..PredictSettings::default() };
    let many = predictor(model("unet", 3, Normalization::Unit, 3), settings);
    assert!(many.predict(&image).expect("a prediction").labels().iter().all(|&l| l == UNDECIDED));
}

#[test]
fn a_batch_predicts_as_one_by_one() {
    let settings =
        PredictSettings { flip_vertical: true, scales: vec![1.0, 0.5], ..PredictSettings::default() };
    let predictor = predictor(model("unet", 3, Normalization::U2Net, 5), settings);
    let images = [picture(60, 33), picture(20, 80), picture(64, 64)];
    let prepared = images.each_ref().map(|image| predictor.prepare(image).expect("prepared"));
    let together = predictor.run_batch(prepared.into()).expect("predictions");
    for (image, found) in images.iter().zip(together) {
        let wanted = predictor.predict(image).expect("a prediction");
        assert_eq!((found.width(), found.height()), (image.width, image.height));
        close(&found.probability(1), &wanted.probability(1), 1e-4);
    }
}

/// The probabilities of a class of an image predicted in tiles.
fn in_tiles(predictor: &Predictor, image: &Raster, tiles: (usize, usize), class: usize) -> Vec<f32> {
    let mut map = Vec::new();
    let classes = predictor.classes().names.len();
    let wants = Wants { probabilities: true, uncertainty: false };
    let each = &mut |row: &dapple_predict::ImageRow<'_>| {
        assert_eq!(row.y, map.len() / image.width);
        map.extend(row.values.probabilities.iter().skip(class).step_by(classes));
        Ok(())
    };
    predictor
        .predict_tiles(&mut PhotoRows::new(&image.clone().into()), tiles, wants, &StopFlag::new(), each)
        .expect("a prediction");
    map
}

#[test]
fn tiles_leave_no_seams() {
    // U-Net sees about 94 pixels to each side; a tile's margin, 3/8 of the overlap, is more.
    let image = picture(1000, 660);
    for (classes, normalisation) in [(2, Normalization::U2Net), (3, Normalization::ImageNet)] {
        let settings =
            PredictSettings { size: WorkingSize::Image, tile: Tiling::Off, ..PredictSettings::default() };
        let predictor = predictor(model("unet", classes, normalisation, 11), settings);
        let whole = predictor.predict(&image).expect("a prediction").probability(1);
        let spread = |map: &[f32]| {
            let (low, high) = map.iter().fold((1.0f32, 0.0f32), |(l, h), &p| (l.min(p), h.max(p)));
            high - low
        };
        assert!(spread(&whole) > 0.02, "the prediction says nothing: {}", spread(&whole));
        close(&in_tiles(&predictor, &image, (544, 272), 1), &whole, 1e-4);
    }
}

#[test]
fn tiles_are_chosen_by_memory() {
    let file = || model("unet", 2, Normalization::Unit, 0);
    let of = |settings: PredictSettings, width, height| {
        predictor(file(), settings).tiles(Size { height, width }, None)
    };
    let memory_bytes = 64 << 20;
    let auto = PredictSettings { memory_bytes, ..PredictSettings::default() };
    assert_eq!(of(auto.clone(), 4000, 3000).expect("fits"), None);
    assert!(of(auto.clone(), 20_000, 20_000).expect("is cut").is_some());
    assert!(of(PredictSettings { tile: Tiling::Off, ..auto.clone() }, 20_000, 20_000).is_err());
    let native = PredictSettings { size: WorkingSize::Image, ..auto };
    assert_eq!(of(native.clone(), 100, 100).expect("fits"), None);
    assert!(of(native, 4000, 3000).expect("is cut").is_some());
    let side = Tiling::Side { side: 250, overlap: None };
    let cut = PredictSettings { tile: side, ..PredictSettings::default() };
    assert_eq!(of(cut.clone(), 257, 100).expect("is cut"), Some((256, 64).into()));
    assert_eq!(of(cut, 256, 100).expect("fits"), None);
}
