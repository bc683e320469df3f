//! Boundary F1 against its definition, by the distance transform.

use dapple_base::DistanceTransform;
use dapple_metrics::{BF_TOLERANCE, boundary_f1};
use proptest::prelude::*;

/// The class's pixels with a 4-neighbour that is not the class or outside, where the truth is not ignored.
fn contour(
    labels: &[u8],
    truth: &[u8],
    (height, width): (usize, usize),
    class: u8,
    ignore: Option<u8>,
) -> Vec<bool> {
    let is_class = |y: usize, x: usize| y < height && x < width && labels[y * width + x] == class;
    (0..height * width)
        .map(|at| {
            let (y, x) = (at / width, at % width);
            let around = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
            is_class(y, x) && Some(truth[at]) != ignore && around.iter().any(|&(y, x)| !is_class(y, x))
        })
        .collect()
}

fn by_distance(
    prediction: &[u8],
    truth: &[u8],
    (height, width): (usize, usize),
    class: u8,
    ignore: Option<u8>,
) -> Option<f64> {
    let a = contour(prediction, truth, (height, width), class, ignore);
    let b = contour(truth, truth, (height, width), class, ignore);
    if Some(class) == ignore || !b.contains(&true) {
        return None;
    }
    let theta = BF_TOLERANCE * ((height * height + width * width) as f64).sqrt();
    let share = |from: &[bool], to: &[bool]| {
        let transform = DistanceTransform::new(to, height, width);
        let pixels: Vec<usize> = (0..from.len()).filter(|&at| from[at]).collect();
        let near = |&&at: &&usize| {
            transform.as_ref().is_some_and(|transform| transform.squared(at) as f64 <= theta * theta)
        };
        pixels.iter().filter(near).count() as f64 / pixels.len().max(1) as f64
    };
    let (precision, recall) = (share(&a, &b), share(&b, &a));
    Some(if precision * recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn matching_equals_the_distance_transform(
        (height, width) in (1..30usize, 1..500usize),
        cells in proptest::collection::vec((0..4u8, 0..4u8), 64),
        cell in 1..40usize,
        ignore in prop_oneof![Just(None), Just(Some(3)), Just(Some(255))],
    ) {
        let size = (height, width);
        let cell = |at: usize| cells[(at / width / cell * 13 + at % width / cell) % 64];
        let prediction: Vec<u8> = (0..height * width).map(|at| cell(at).0).collect();
        // Moved a little, so that some contours match and some do not.
        let truth: Vec<u8> = (0..height * width).map(|at| {
            let (left, right) = (cell(at.saturating_sub(2)), cell(at));
            if ignore == Some(255) && right.1 == 3 { 255 } else { left.0.min(right.1) }
        }).collect();
        let found = boundary_f1(&prediction, &truth, height, width, 4, ignore).unwrap();
        for (class, found) in (0..4).zip(found) {
            prop_assert_eq!(found, by_distance(&prediction, &truth, size, class, ignore));
        }
    }
}
