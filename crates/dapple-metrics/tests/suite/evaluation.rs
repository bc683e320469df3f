//! Properties of the evaluator, its JSON and comparisons, and of metrics other than Boundary IoU.

use dapple_metrics::salient::{
    SalientEvaluator, mean_absolute_error, relaxed_boundary_f, s_measure, weighted_f_measure,
};
use dapple_metrics::{
    Bootstrap, Calibration, Evaluator, EvaluatorState, ForegroundMap, MapKind, MetricsError, PrecisionRecall,
    Probabilities, Protocol, Scores, boundary_f1, compare_scores, score_intervals, surface_distances,
};
use proptest::prelude::*;

/// Prediction, truth and size of one image.
type Image = (Vec<u8>, Vec<u8>, usize, usize);

fn image(labels: Vec<u8>) -> impl Strategy<Value = Image> {
    (1..20usize, 1..80usize).prop_flat_map(move |(height, width)| {
        let map = proptest::collection::vec(proptest::sample::select(labels.clone()), height * width);
        (map.clone(), map, Just(height), Just(width))
    })
}

fn masks() -> impl Strategy<Value = (Vec<bool>, Vec<bool>, usize, usize)> {
    (1..20usize, 1..20usize).prop_flat_map(|(height, width)| {
        let density = prop_oneof![Just(0.0), Just(1.0), Just(0.03), Just(0.5)];
        let mask = density.prop_flat_map(move |density| {
            proptest::collection::vec(proptest::bool::weighted(density), height * width)
        });
        (mask.clone().boxed(), mask.boxed(), Just(height), Just(width))
    })
}

fn protocol() -> Protocol {
    Protocol::new(["sky", "tree", "road"], Some(9))
}

fn evaluate(images: &[Image], first: usize) -> Evaluator {
    let mut evaluator = Evaluator::new(protocol()).unwrap();
    for (at, (prediction, truth, height, width)) in images.iter().enumerate() {
        evaluator.add(&format!("{}.png", first + at), prediction, truth, *height, *width).unwrap();
    }
    evaluator
}

proptest! {
    #[test]
    fn parts_merged_in_order_score_the_same_to_the_last_bit(
        images in proptest::collection::vec(image(vec![0, 1, 2, 9]), 1..8),
        split in 0..8usize,
    ) {
        let split = split.min(images.len());
        let whole = evaluate(&images, 0).finish_with_images();
        let mut parts = evaluate(&images[..split], 0);
        parts.merge(evaluate(&images[split..], split)).unwrap();
        prop_assert_eq!(&whole, &parts.finish_with_images());
        // Also where they were carried from another process.
        let carried = serde_json::to_vec(&evaluate(&images[split..], split).into_state()).unwrap();
        let mut parts = evaluate(&images[..split], 0);
        parts.add_state(serde_json::from_slice(&carried).unwrap()).unwrap();
        prop_assert_eq!(&whole, &parts.finish_with_images());
        // And the JSON says the same.
        let json = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(whole, serde_json::from_str::<Scores>(&json).unwrap());
    }

    #[test]
    fn a_map_against_itself_scores_one((map, _, height, width) in image(vec![0, 1, 2])) {
        let scores = evaluate(&[(map.clone(), map, height, width)], 0).finish();
        prop_assert_eq!(scores.dataset.miou, Some(1.0));
        prop_assert_eq!(scores.dataset.boundary_miou, Some(1.0));
        prop_assert_eq!(scores.dataset.pixel_accuracy, Some(1.0));
        prop_assert_eq!(scores.per_image.dice, Some(1.0));
        prop_assert_eq!(scores.per_image.bf, Some(1.0));
        prop_assert!(scores.dataset.kappa.is_none_or(|kappa| kappa == 1.0));
    }

    #[test]
    fn the_confusion_matrix_counts_every_scored_pixel(image in image(vec![0, 1, 2, 9])) {
        let evaluator = evaluate(std::slice::from_ref(&image), 0);
        let (prediction, truth, ..) = &image;
        for class in 0..3 {
            for other in 0..3 {
                let count = prediction.iter().zip(truth).filter(|&pair| pair == (&(other as u8), &(class as u8))).count();
                prop_assert_eq!(evaluator.confusion().get(class, other), count as u64);
            }
            let labelled = truth.iter().filter(|&&label| usize::from(label) == class).count();
            prop_assert_eq!(evaluator.finish().classes[class].labelled_pixels, labelled as u64);
        }
    }

    #[test]
    fn contour_metrics_are_symmetric_and_best_for_equal_masks((a, b, height, width) in masks()) {
        let distances = surface_distances(&a, &b, height, width).unwrap();
        let swapped = surface_distances(&b, &a, height, width).unwrap();
        // The order of summation differs.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        match (distances, swapped) {
            (Some(one), Some(other)) => prop_assert!(
                near(one.average, other.average) && one.hausdorff == other.hausdorff && one.hausdorff_95 == other.hausdorff_95
            ),
            (one, other) => prop_assert!(one.is_none() && other.is_none()),
        }
        if let Some(same) = surface_distances(&a, &a, height, width).unwrap() {
            prop_assert_eq!((same.hausdorff, same.hausdorff_95, same.average), (0.0, 0.0, 0.0));
        }
        let labels = |mask: &[bool]| mask.iter().map(|&set| u8::from(set)).collect::<Vec<_>>();
        let bf = |a, b| boundary_f1(a, b, height, width, 2, None).unwrap()[1];
        let (one, other) = (bf(&labels(&a), &labels(&b)), bf(&labels(&b), &labels(&a)));
        prop_assert!(one.zip(other).is_none_or(|(one, other)| near(one, other)));
    }

    #[test]
    fn salient_scores_are_best_for_a_perfect_map((truth, _, height, width) in masks()) {
        let prediction: Vec<f32> = truth.iter().map(|&set| f32::from(u8::from(set))).collect();
        let map = ForegroundMap::new(Probabilities::Unit(&prediction), &truth, height, width).unwrap();
        prop_assert_eq!(mean_absolute_error(&map), 0.0);
        prop_assert!((s_measure(&map) - 1.0).abs() < 1e-9);
        if truth.contains(&true) {
            prop_assert!((weighted_f_measure(&map) - 1.0).abs() < 1e-9);
            prop_assert_eq!(relaxed_boundary_f(&map), Some(1.0));
        }
    }

    #[test]
    fn salient_scores_are_defined_for_every_map(
        (truth, _, height, width) in masks(),
        levels in proptest::collection::vec(any::<u16>(), 400),
    ) {
        let prediction = &levels[..truth.len()];
        let mut evaluator = SalientEvaluator::default();
        evaluator.add("a.png", &ForegroundMap::new(Probabilities::Bits16(prediction), &truth, height, width).unwrap());
        let scores = evaluator.finish();
        let in_unit = |score: Option<f64>| score.is_some_and(|score| (0.0..=1.0 + 1e-9).contains(&score));
        prop_assert!(in_unit(scores.s_measure) && in_unit(scores.weighted_f) && in_unit(scores.max_f_of_mean_f));
        // E divides by one pixel less than it sums.
        prop_assert!(scores.max_e.is_some_and(|score| (0.0..=2.0 + 1e-9).contains(&score)));
    }
}

#[test]
fn json_has_the_documented_keys() {
    let mut evaluator = Evaluator::new(Protocol::new(["background", "horse"], None)).unwrap();
    evaluator.add("a.png", &[0, 0], &[0, 0], 1, 2).unwrap();
    let json: serde_json::Value = serde_json::to_value(evaluator.finish()).unwrap();
    assert_eq!(json["images"], 1);
    for key in ["name", "iou", "boundary_iou", "accuracy", "dice"] {
        assert!(json["classes"][1].get(key).is_some(), "{key}");
    }
    for key in ["miou", "boundary_miou", "pixel_accuracy", "mean_accuracy", "dice"] {
        assert!(json["dataset"].get(key).is_some(), "{key}");
    }
    for key in ["foreground_iou", "miou", "boundary_miou", "foreground_boundary_iou"] {
        assert!(json["per_image"].get(key).is_some(), "{key}");
    }
    assert!(json["per_image"]["foreground_iou"].is_null(), "no image has foreground");
    assert!(json.get("images_detail").is_none());
    assert_eq!(serde_json::from_value::<Scores>(json).unwrap(), evaluator.finish());

    let three = serde_json::to_value(Evaluator::new(protocol()).unwrap().finish()).unwrap();
    assert!(three["per_image"].get("foreground_iou").is_none());
}

#[test]
fn bad_labels_are_named_and_change_nothing() {
    let mut evaluator = Evaluator::new(protocol()).unwrap();
    let error = evaluator.add("bad.png", &[0, 1, 2, 0], &[0, 0, 9, 3], 2, 2).unwrap_err();
    let MetricsError::Image { image, source } = &error else { panic!("{error}") };
    assert_eq!(image, "bad.png");
    let expected = MetricsError::UnknownLabel {
        map: MapKind::Truth,
        value: 3,
        row: 1,
        column: 1,
        classes: 3,
        ignore: Some(9),
    };
    assert_eq!(**source, expected);
    assert_eq!(
        error.to_string(),
        "bad.png: the truth has label 3 at row 1, column 1, but the classes are 0 to 2 and the ignore label is 9: \
         name more classes, or make 3 the ignore label"
    );
    assert!(evaluator.add("short.png", &[0], &[0, 0], 1, 2).is_err());
    assert!(evaluator.add("empty.png", &[], &[], 0, 5).is_err());
    assert_eq!(evaluator.finish(), Evaluator::new(protocol()).unwrap().finish());
}

#[test]
fn settings_out_of_range_are_refused() {
    assert_eq!(Evaluator::new(Protocol::new([""; 257], None)).err(), Some(MetricsError::ClassCount(257)));
    let wide = Protocol { boundary_ratio: f64::NAN, ..protocol() };
    assert!(Evaluator::new(wide).is_err());
    assert!(Bootstrap { resamples: 0, ..Bootstrap::default() }.mean(&[Some(1.0)]).is_err());
    assert!(Bootstrap { confidence: 1.0, ..Bootstrap::default() }.mean(&[Some(1.0)]).is_err());
    assert!(ForegroundMap::new(Probabilities::Unit(&[f32::NAN]), &[true], 1, 1).is_err());
}

/// Images of one row whose prediction is right in the first `right` of ten pixels.
fn scored(right: &[usize]) -> Scores {
    let mut evaluator = Evaluator::new(Protocol::new(["background", "horse"], None)).unwrap();
    for (at, &right) in right.iter().enumerate() {
        let prediction: Vec<u8> = (0..10).map(|x| u8::from(x < right)).collect();
        evaluator.add(&format!("{at}.png"), &prediction, &[1; 10], 1, 10).unwrap();
    }
    evaluator.finish_with_images()
}

#[test]
fn intervals_hold_the_score_and_repeat() {
    let scores = scored(&[1, 3, 5, 5, 6, 7, 7, 8, 9, 10]);
    let bootstrap = Bootstrap { resamples: 500, confidence: 0.9, seed: 7 };
    let intervals = score_intervals(&scores, &bootstrap).unwrap();
    assert_eq!(intervals, score_intervals(&scores, &bootstrap).unwrap());
    let entry = |name: &str| intervals.iter().find(|entry| entry.score == name).unwrap().interval.unwrap();
    for name in ["dataset.miou", "per_image.foreground_iou", "dataset.pixel_accuracy"] {
        let interval = entry(name);
        assert!(interval.low < interval.value && interval.value < interval.high, "{name}: {interval:?}");
    }
    // The mean is 0.61, its standard error 0.081: 90 % is 1.645 standard errors to either side, about.
    let interval = entry("per_image.foreground_iou");
    assert!((interval.value - 0.61).abs() < 1e-12);
    assert!((interval.high - interval.low - 2.0 * 1.645 * 0.081).abs() < 0.04, "{interval:?}");
    assert_eq!(Some(interval.value), scores.per_image.foreground_iou.unwrap());
}

#[test]
fn comparisons_pair_images_by_name() {
    let first = scored(&[2, 4, 6, 8]);
    let mut second = scored(&[3, 5, 7, 9]);
    second.images_detail.as_mut().unwrap().reverse();
    let differences = compare_scores(&first, &second, &Bootstrap::default()).unwrap();
    let entry = differences.iter().find(|entry| entry.score == "per_image.foreground_iou").unwrap();
    let interval = entry.difference.unwrap();
    // Every image gains the same, so the difference is certain although the scores vary.
    assert!((interval.value - 0.1).abs() < 1e-12 && interval.high - interval.low < 1e-12);

    for other in [scored(&[1, 2, 3]), Scores { images_detail: None, ..first.clone() }] {
        let error = compare_scores(&first, &other, &Bootstrap::default()).unwrap_err();
        assert!(matches!(error, MetricsError::NotPaired(_)), "{error}");
    }
}

#[test]
fn states_are_stored_without_losing_a_bit() {
    let mut evaluator = Evaluator::new(protocol()).unwrap();
    evaluator.add("a", &[0, 1, 2, 2, 1, 0], &[0, 1, 1, 2, 9, 0], 2, 3).unwrap();
    evaluator.add("b", &[2, 2, 1, 9], &[2, 1, 1, 2], 2, 2).unwrap();
    let wanted = evaluator.finish_with_images();
    let text = serde_json::to_string(&evaluator.into_state()).unwrap();
    let state: EvaluatorState = serde_json::from_str(&text).unwrap();
    assert_eq!(Evaluator::of_state(protocol(), state.clone()).unwrap().finish_with_images(), wanted);
    // Sums that are not those of the images, and counts of other classes.
    let short = EvaluatorState { images: state.images[..1].to_vec(), ..state.clone() };
    assert!(matches!(Evaluator::of_state(protocol(), short), Err(MetricsError::Mismatch(_))));
    let two = Protocol::new(["sky", "tree"], Some(9));
    assert!(matches!(Evaluator::of_state(two, state), Err(MetricsError::Mismatch(_))));
    let fewer = text.replacen("\"classes\":3", "\"classes\":2", 1);
    assert!(serde_json::from_str::<EvaluatorState>(&fewer).is_err());

    let (mut salient, mut curve) = (SalientEvaluator::default(), PrecisionRecall::default());
    let mut calibration = Calibration::new(15).unwrap();
    let prediction = [0.1_f32, 0.7, 1.0 / 3.0, 0.9];
    for (name, truth) in [("a", [false, true, false, true]), ("b", [true, true, false, false])] {
        let map = ForegroundMap::new(Probabilities::Unit(&prediction), &truth, 2, 2).unwrap();
        salient.add(name, &map);
        curve.add(&map);
        calibration.add(&prediction, &truth).unwrap();
    }
    let again: SalientEvaluator = serde_json::from_str(&serde_json::to_string(&salient).unwrap()).unwrap();
    let mut joined = SalientEvaluator::default();
    again.split().into_iter().for_each(|image| joined.merge(image));
    assert_eq!(joined.finish(), salient.finish());
    let read = serde_json::from_str::<PrecisionRecall>(&serde_json::to_string(&curve).unwrap());
    assert_eq!(read.unwrap(), curve);
    let read = serde_json::from_str::<Calibration>(&serde_json::to_string(&calibration).unwrap());
    assert_eq!(read.unwrap(), calibration);
    assert!(serde_json::from_str::<Calibration>("[]").is_err());
    assert!(serde_json::from_str::<PrecisionRecall>("[[65536,1,1]]").is_err());
}
