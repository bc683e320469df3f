//! Truths that are made of labels.

use dapple_graph::{Loss, LossError, LossKind, Shape, Target};

fn learning_boundaries() -> Loss {
    Loss {
        output_weights: vec![1.0, 20.0],
        output_targets: vec![Target::Labels, Target::Boundaries],
        boundary_aware: 0.5,
        ..Loss::single(LossKind::CrossEntropy)
    }
}

/// Outputs of three classes and of boundaries.
fn outputs(h: usize, w: usize) -> [Shape; 2] {
    [Shape::new(1, h, w, 3), Shape::new(1, h, w, 1)]
}

#[test]
fn boundaries_are_two_pixels_to_either_side_of_a_change_and_none_to_pixels_without_a_label() {
    let loss = Loss { ignore: Some(9), ..learning_boundaries() };
    // Twelve columns: six of class 0, three of class 2, then pixels without a label.
    let row = [0, 0, 0, 0, 0, 0, 2, 2, 2, 9, 9, 9];
    let labels: Vec<u8> = row.iter().copied().cycle().take(3 * 12).collect();
    let parts = loss.parts(&labels, &outputs(3, 12), Some(&[0.0; 36])).unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!((parts[0].output, parts[0].factor, &parts[0].labels[..]), (0, 1.0, &labels[..]));
    let boundaries = &parts[1];
    let expected = [0, 0, 0, 0, 1, 1, 1, 1, 0, 255, 255, 255];
    assert_eq!(boundaries.labels[..], expected.repeat(3)[..]);
    assert_eq!((boundaries.output, boundaries.factor), (1, 20.0));
    // Each side weighs the other's share of the nine labelled columns.
    assert_eq!(boundaries.loss.class_weights, Some(vec![4.0 / 9.0, 5.0 / 9.0]));
    assert_eq!(boundaries.loss.terms[0].kind, LossKind::BinaryCrossEntropy);
}

#[test]
fn boundaries_go_around_corners_and_stop_at_the_image() {
    let mut labels = vec![0u8; 2 * 6 * 6];
    labels[0] = 1;
    let shapes = [Shape::new(2, 6, 6, 2), Shape::new(2, 6, 6, 1)];
    let parts = Loss { boundary_aware: 0.0, ..learning_boundaries() };
    let parts = parts.parts(&labels, &shapes, None).unwrap();
    let found = &parts[1].labels;
    for (i, &label) in found.iter().enumerate() {
        let near = i < 36 && i / 6 <= 2 && i % 6 <= 2;
        assert_eq!(label, u8::from(near), "{i}");
    }
}

#[test]
fn the_boundary_aware_loss_counts_pixels_that_the_boundary_output_is_sure_of() {
    let loss = learning_boundaries();
    let labels = [0, 1, 2, 1];
    // Probabilities 0.5, 0.79, 0.81 and almost 1.
    let seen = [0.0, 1.325, 1.45, 30.0];
    let parts = loss.parts(&labels, &outputs(1, 4), Some(&seen)).unwrap();
    let aware = &parts[2];
    assert_eq!((aware.output, aware.factor), (0, 0.5));
    let ignored = aware.loss.ignore.unwrap();
    assert_eq!(aware.labels[..], [ignored, ignored, 2, 1]);
    assert!(!labels.contains(&ignored));
    assert_eq!(aware.loss.terms[0].kind, LossKind::CrossEntropy);
}

#[test]
fn targets_that_do_not_fit_the_outputs_are_refused() {
    let labels = [0; 4];
    let [classes, one] = outputs(1, 4);
    let refused = |loss: &Loss, outputs: &[Shape]| loss.parts(&labels, outputs, Some(&[0.0; 4])).unwrap_err();
    let loss = learning_boundaries();
    let wide = LossError::BoundaryChannels { output: 1, channels: 3 };
    assert_eq!(refused(&loss, &[classes, classes]), wide);
    assert_eq!(refused(&loss, &[classes]), LossError::NoBoundaries);
    let first = Loss { output_targets: vec![Target::Boundaries], ..loss.clone() };
    assert_eq!(refused(&first, &[one, classes]), LossError::FirstOutput);
    let small = Shape::new(1, 1, 3, 1);
    assert!(matches!(refused(&loss, &[classes, small]), LossError::Labels { .. }));
    for factor in [f32::NAN, f32::INFINITY, -1.0] {
        let loss = Loss { boundary_aware: factor, ..loss.clone() };
        assert!(matches!(refused(&loss, &[classes, one]), LossError::Setting { name: "boundary_aware", .. }));
    }
}
