//! Every metric against independent implementations: the files under `golden/` are made by the script there.

use dapple_metrics::salient::{
    SalientEvaluator, e_measure, f_measure, mean_absolute_error, relaxed_boundary_f, s_measure,
    weighted_f_measure,
};
use dapple_metrics::{
    Calibration, Evaluator, ForegroundMap, Overlap, PrecisionRecall, Probabilities, Protocol,
    surface_distances,
};
use serde_json::Value;

fn golden(text: &str) -> Value {
    serde_json::from_str(text).expect("the script writes JSON")
}

fn list<T>(value: &Value, of: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(of).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    list(value, |entry| entry.as_u64().unwrap() as u8)
}

fn flags(value: &Value) -> Vec<bool> {
    list(value, |entry| entry.as_u64().unwrap() == 1)
}

fn size(case: &Value) -> (usize, usize) {
    (case["height"].as_u64().unwrap() as usize, case["width"].as_u64().unwrap() as usize)
}

#[track_caller]
fn assert_near(found: Option<f64>, expected: &Value, tolerance: f64) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) if (found - expected).abs() <= tolerance => {}
        (None, None) => {}
        _ => panic!("found {found:?}, expected {expected}"),
    }
}

#[test]
fn region_and_boundary_scores() {
    for case in list(&golden(include_str!("golden/region.json")), Value::clone) {
        let (height, width) = size(&case);
        let (prediction, truth) = (bytes(&case["prediction"]), bytes(&case["truth"]));
        let mut evaluator = Evaluator::new(Protocol::new(["a", "b", "c", "d"], Some(255))).unwrap();
        evaluator.add("case", &prediction, &truth, height, width).unwrap();
        let scores = evaluator.finish();

        for class in 0..4 {
            for predicted in 0..4 {
                let expected = case["confusion"][class][predicted].as_u64().unwrap();
                assert_eq!(evaluator.confusion().get(class, predicted), expected);
            }
            assert_near(scores.classes[class].iou, &case["iou"][class], 1e-12);
            assert_near(scores.classes[class].dice, &case["dice"][class], 1e-12);
            let entry = evaluator.images()[0].class(class as u8);
            let boundary: [u64; 3] = entry.map_or(Overlap::default(), |entry| entry.boundary).into();
            let expected = list(&case["boundary"][class], |count| count.as_u64().unwrap());
            assert_eq!(boundary.as_slice(), expected.as_slice());
            assert_near(entry.and_then(|entry| entry.bf), &case["bf"][class], 1e-12);
        }
        assert_near(scores.dataset.pixel_accuracy, &case["pixel_accuracy"], 1e-12);
        assert_near(scores.dataset.mean_accuracy, &case["mean_accuracy"], 1e-12);
        assert_near(scores.dataset.precision, &case["precision"], 1e-12);
        assert_near(scores.dataset.frequency_weighted_iou, &case["frequency_weighted_iou"], 1e-12);
        assert_near(scores.dataset.kappa, &case["kappa"], 1e-12);
    }
}

#[test]
fn salient_object_scores() {
    let golden = golden(include_str!("golden/salient.json"));
    let mut evaluator = SalientEvaluator::default();
    for case in list(&golden["images"], Value::clone) {
        let (height, width) = size(&case);
        let (prediction, truth) = (bytes(&case["prediction"]), flags(&case["truth"]));
        let map = ForegroundMap::new(Probabilities::Bits8(&prediction), &truth, height, width).unwrap();
        evaluator.add("case", &map);

        let (f, e) = (f_measure(&map), e_measure(&map));
        for (at, threshold) in (0..256).step_by(16).enumerate() {
            assert_near(Some(f.precision[threshold]), &case["precision"][at], 1e-12);
            assert_near(Some(f.recall[threshold]), &case["recall"][at], 1e-12);
            assert_near(Some(f.f[threshold]), &case["f"][at], 1e-12);
            assert_near(Some(e.curve[threshold]), &case["e"][at], 1e-9);
        }
        assert_near(Some(f.adaptive), &case["adaptive_f"], 1e-12);
        assert_near(Some(e.adaptive), &case["adaptive_e"], 1e-9);
        assert_near(Some(mean_absolute_error(&map)), &case["mae"], 1e-12);
        assert_near(Some(s_measure(&map)), &case["s_measure"], 1e-9);
        assert_near(Some(weighted_f_measure(&map)), &case["weighted_f"], 1e-9);
        assert_near(relaxed_boundary_f(&map), &case["relaxed_boundary_f"], 1e-12);

        let mut curve = PrecisionRecall::default();
        curve.add(&map);
        assert_near(curve.average_precision(), &case["average_precision"], 1e-12);
    }
    let scores = evaluator.finish();
    let name = "max_f_of_mean_precision_recall";
    assert_near(scores.max_f_of_mean_precision_recall, &golden[name], 1e-12);
    assert_near(scores.max_f_of_mean_f, &golden["max_f_of_mean_f"], 1e-12);
    assert_near(scores.mean_f, &golden["mean_f"], 1e-12);
    assert_near(scores.adaptive_f, &golden["adaptive_f"], 1e-12);
    assert_near(scores.s_measure, &golden["s_measure"], 1e-9);
    assert_near(scores.max_e, &golden["max_e"], 1e-9);
    assert_near(scores.mean_e, &golden["mean_e"], 1e-9);
    assert_near(scores.adaptive_e, &golden["adaptive_e"], 1e-9);
    assert_near(scores.weighted_f, &golden["weighted_f"], 1e-9);
    assert_near(scores.mae, &golden["mae"], 1e-12);
}

#[test]
fn distances_of_contours() {
    for case in list(&golden(include_str!("golden/surface.json")), Value::clone) {
        let (height, width) = size(&case);
        let (prediction, truth) = (flags(&case["prediction"]), flags(&case["truth"]));
        let distances = surface_distances(&prediction, &truth, height, width).unwrap().unwrap();
        assert_near(Some(distances.hausdorff), &case["hausdorff"], 1e-12);
        assert_near(Some(distances.hausdorff_95), &case["hausdorff_95"], 1e-12);
        assert_near(Some(distances.average), &case["average"], 1e-12);
    }
}

#[test]
fn calibration() {
    let golden = golden(include_str!("golden/calibration.json"));
    let confidence = list(&golden["confidence"], |value| value.as_f64().unwrap() as f32);
    let mut calibration = Calibration::new(15).unwrap();
    calibration.add(&confidence, &flags(&golden["correct"])).unwrap();
    // The other implementation computes in single precision.
    assert_near(calibration.expected_error(), &golden["expected_error"], 1e-6);
    assert_near(calibration.maximum_error(), &golden["maximum_error"], 1e-6);
}
