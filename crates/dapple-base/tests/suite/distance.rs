//! The distance transform against a search of all pixels and against SciPy. The golden file is made by
//! `dapple-metrics/tests/suite/golden/make_golden.py`.

use dapple_base::DistanceTransform;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    height: usize,
    width: usize,
    mask: Vec<u8>,
    squared: Vec<u64>,
    nearest: Vec<usize>,
}

#[test]
fn distances_equal_scipy_s() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("golden/distance.json")).expect("a list of cases");
    for case in cases {
        let mask: Vec<bool> = case.mask.iter().map(|&set| set == 1).collect();
        let transform = DistanceTransform::new(&mask, case.height, case.width).expect("a pixel is set");
        for pixel in 0..case.height * case.width {
            assert_eq!(transform.squared(pixel), case.squared[pixel]);
            assert_eq!(transform.nearest(pixel), case.nearest[pixel]);
        }
    }
}

fn mask() -> impl Strategy<Value = (Vec<bool>, usize, usize)> {
    (1..20usize, 1..20usize).prop_flat_map(|(height, width)| {
        let density = prop_oneof![Just(0.0), Just(1.0), Just(0.03), Just(0.5)];
        let mask = density.prop_flat_map(move |density| {
            proptest::collection::vec(proptest::bool::weighted(density), height * width)
        });
        (mask, Just(height), Just(width))
    })
}

proptest! {
    #[test]
    fn distance_transforms_equal_a_search_of_all_pixels((mask, height, width) in mask()) {
        let transform = DistanceTransform::new(&mask, height, width);
        prop_assert_eq!(transform.is_some(), mask.contains(&true));
        for pixel in (0..mask.len()).filter(|_| transform.is_some()) {
            let key = |other: usize| {
                let (y, x) = (other / width, other % width);
                let (dy, dx) = (y.abs_diff(pixel / width), x.abs_diff(pixel % width));
                (dy * dy + dx * dx, x, y)
            };
            let nearest = (0..mask.len()).filter(|&other| mask[other]).min_by_key(|&other| key(other)).unwrap();
            let transform = transform.as_ref().unwrap();
            prop_assert_eq!((transform.nearest(pixel), transform.squared(pixel)), (nearest, key(nearest).0 as u64));
        }
    }
}
