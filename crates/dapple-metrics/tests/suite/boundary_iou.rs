//! Boundary IoU against the definition: binarise, pad with zeros, erode `d` times with a 3 x 3 square.

use dapple_metrics::{Overlap, boundary_overlaps, boundary_region};
use proptest::prelude::*;

/// The boundary region of a binary mask, by `distance` erosions.
fn boundary_by_erosion(mask: &[bool], height: usize, width: usize, distance: usize) -> Vec<bool> {
    let mut eroded = mask.to_vec();
    for _ in 0..distance {
        let at = |y: isize, x: isize| {
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            inside && eroded[y as usize * width + x as usize]
        };
        eroded = (0..(height * width) as isize)
            .map(|pixel| {
                let (y, x) = (pixel / width as isize, pixel % width as isize);
                (y - 1..=y + 1).all(|y| (x - 1..=x + 1).all(|x| at(y, x)))
            })
            .collect();
    }
    mask.iter().zip(&eroded).map(|(mask, eroded)| *mask && !eroded).collect()
}

fn overlaps_by_erosion(
    prediction: &[u8],
    truth: &[u8],
    (height, width): (usize, usize),
    classes: usize,
    ignore: Option<u8>,
    distance: usize,
) -> Vec<Overlap> {
    let region = |labels: &[u8], class: u8| {
        let mask: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        boundary_by_erosion(&mask, height, width, distance)
    };
    (0..classes as u8)
        .map(|class| {
            let mut overlap = Overlap::default();
            if Some(class) == ignore {
                return overlap;
            }
            let regions = region(prediction, class).into_iter().zip(region(truth, class));
            for ((predicted, labelled), &label) in regions.zip(truth) {
                if Some(label) != ignore {
                    overlap.predicted += u64::from(predicted);
                    overlap.labelled += u64::from(labelled);
                    overlap.intersection += u64::from(predicted && labelled);
                }
            }
            overlap
        })
        .collect()
}

/// A label map of a few rectangles on a ground, and some noise.
fn label_map(height: usize, width: usize, labels: Vec<u8>) -> impl Strategy<Value = Vec<u8>> + Clone {
    let label = proptest::sample::select(labels);
    let rectangle = (0..height, 0..width, 1..=height, 1..=width, label.clone());
    let noise = (0..height, 0..width, Just(1), Just(1), label.clone());
    let parts = (proptest::collection::vec(rectangle, 0..5), proptest::collection::vec(noise, 0..4));
    (label, parts).prop_map(move |(ground, (rectangles, noise))| {
        let mut map = vec![ground; height * width];
        for (top, left, rows, columns, label) in rectangles.into_iter().chain(noise) {
            for y in top..(top + rows).min(height) {
                map[y * width + left..y * width + (left + columns).min(width)].fill(label);
            }
        }
        map
    })
}

fn size() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        (1..40usize, 1..40usize),
        (1..12usize, 1..200usize),
        Just((1, 70)),
        Just((70, 1)),
        Just((9, 129))
    ]
}

proptest! {
    #[test]
    fn equals_repeated_erosion(
        ((height, width), prediction, truth) in size().prop_flat_map(|(height, width)| {
            let maps = label_map(height, width, vec![0, 1, 2, 7, 255]);
            (Just((height, width)), maps.clone(), maps)
        }),
        distance in 1..8usize,
    ) {
        let found = boundary_overlaps(&prediction, &truth, height, width, 8, Some(255), distance).unwrap();
        let expected = overlaps_by_erosion(&prediction, &truth, (height, width), 8, Some(255), distance);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn equals_repeated_erosion_with_an_ignored_class(
        ((height, width), prediction, truth) in size().prop_flat_map(|(height, width)| {
            let maps = label_map(height, width, vec![0, 1, 2]);
            (Just((height, width)), maps.clone(), maps)
        }),
        distance in 1..30usize,
    ) {
        for ignore in [None, Some(0), Some(2)] {
            let found = boundary_overlaps(&prediction, &truth, height, width, 3, ignore, distance).unwrap();
            let expected = overlaps_by_erosion(&prediction, &truth, (height, width), 3, ignore, distance);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn wide_noise_equals_repeated_erosion(
        labels in proptest::collection::vec(0..2u8, 5 * 150),
        distance in 1..3usize,
    ) {
        let region = boundary_region(&labels, 5, 150, distance).unwrap();
        let mask: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let rest: Vec<bool> = mask.iter().map(|set| !set).collect();
        let (mask, rest) = (boundary_by_erosion(&mask, 5, 150, distance), boundary_by_erosion(&rest, 5, 150, distance));
        let expected: Vec<bool> = mask.iter().zip(&rest).map(|(a, b)| a | b).collect();
        prop_assert_eq!(region, expected);
    }

    #[test]
    fn a_map_scores_one_against_itself_and_swapping_maps_keeps_the_score(
        ((height, width), a, b) in size().prop_flat_map(|(height, width)| {
            let maps = label_map(height, width, vec![0, 1, 2]);
            (Just((height, width)), maps.clone(), maps)
        }),
        distance in 1..6usize,
    ) {
        let score = |a: &[u8], b: &[u8]| -> Vec<Option<f64>> {
            let overlaps = boundary_overlaps(a, b, height, width, 3, None, distance).unwrap();
            overlaps.iter().map(Overlap::iou).collect()
        };
        prop_assert!(score(&a, &a).iter().all(|iou| iou.is_none_or(|iou| iou == 1.0)));
        prop_assert_eq!(score(&a, &b), score(&b, &a));
    }

    #[test]
    fn moving_both_masks_inside_the_image_changes_nothing(
        a in label_map(9, 9, vec![0, 1]),
        b in label_map(9, 9, vec![0, 1]),
        (dy, dx) in (0..60usize, 0..60usize),
        distance in 1..5usize,
    ) {
        let place = |small: &[u8], top: usize, left: usize| {
            let mut map = vec![0; 80 * 80];
            for (y, row) in small.chunks(9).enumerate() {
                map[(top + y) * 80 + left..][..9].copy_from_slice(row);
            }
            map
        };
        let score = |top, left| {
            boundary_overlaps(&place(&a, top, left), &place(&b, top, left), 80, 80, 2, None, distance).unwrap()[1]
        };
        prop_assert_eq!(score(0, 0), score(dy, dx));
    }
}

#[test]
fn empty_full_and_single_pixel_masks() {
    let (empty, full) = (vec![0; 35], vec![1; 35]);
    let foreground = |prediction: &[u8], truth: &[u8]| {
        boundary_overlaps(prediction, truth, 5, 7, 2, None, 1).unwrap()[1].iou()
    };
    assert_eq!(foreground(&empty, &empty), None);
    assert_eq!(foreground(&full, &empty), Some(0.0));
    assert_eq!(foreground(&full, &full), Some(1.0));
    let mut pixel = empty.clone();
    pixel[0] = 1;
    assert_eq!(foreground(&pixel, &pixel), Some(1.0));
    assert_eq!(foreground(&pixel, &full), Some(1.0 / 20.0));
    let ring = boundary_region(&full, 5, 7, 1).unwrap().iter().filter(|&&boundary| boundary).count();
    assert_eq!(ring, 20);
    assert!(boundary_region(&full, 5, 7, usize::MAX).unwrap().iter().all(|&boundary| boundary));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn widths_beyond_a_word_equal_repeated_erosion(
        (height, width) in (140..170usize, 140..260usize),
        specks in proptest::collection::vec((0..140usize, 0..140usize, 0..2u8), 0..3),
        distance in 28..70usize,
    ) {
        let mut truth = vec![1; height * width];
        for (y, x, label) in specks {
            truth[y * width + x] = label;
        }
        let prediction = vec![1; height * width];
        let found = boundary_overlaps(&prediction, &truth, height, width, 2, None, distance).unwrap();
        let expected = overlaps_by_erosion(&prediction, &truth, (height, width), 2, None, distance);
        prop_assert_eq!(found, expected);
    }
}
