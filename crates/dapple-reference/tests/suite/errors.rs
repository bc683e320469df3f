//! Arguments that a loss refuses, and doubtful ones that it takes.

use dapple_graph::{Loss, LossError, LossKind, Shape};
use dapple_reference::{Tensor64, loss, random};

const KINDS: [LossKind; 8] = [
    LossKind::CrossEntropy,
    LossKind::BinaryCrossEntropy,
    LossKind::Dice,
    LossKind::Focal,
    LossKind::Tversky,
    LossKind::Lovasz,
    LossKind::Boundary,
    LossKind::Ohem,
];

fn logits(channels: usize) -> Vec<Tensor64> {
    vec![Tensor64::from(&random::tensor(Shape::new(1, 2, 2, channels), 1))]
}

#[test]
fn labels_outside_the_classes_are_refused_unless_ignored() {
    for kind in KINDS {
        let mut settings = Loss::single(kind);
        let labels = [0, 1, 2, 3];
        assert_eq!(
            loss(&logits(3), &labels, &settings).unwrap_err(),
            LossError::Label { label: 3, classes: 3 }
        );
        settings.ignore = Some(3);
        assert!(loss(&logits(3), &labels, &settings).is_ok());
    }
}

#[test]
fn one_channel_takes_label_1_against_the_rest() {
    let settings = Loss::sum(&[(LossKind::BinaryCrossEntropy, 1.0), (LossKind::Dice, 1.0)]);
    let (several, _) = loss(&logits(1), &[0, 1, 2, 7], &settings).unwrap();
    let (two, _) = loss(&logits(1), &[0, 1, 0, 0], &settings).unwrap();
    assert_eq!(several, two);
    let cross_entropy = Loss::single(LossKind::CrossEntropy);
    assert_eq!(loss(&logits(1), &[0; 4], &cross_entropy).unwrap_err(), LossError::OneChannel);
}

#[test]
fn sizes_must_agree() {
    let mut settings = Loss::single(LossKind::CrossEntropy);
    let size = LossError::Labels { labels: 3, logits: Shape::new(1, 2, 2, 2) };
    assert_eq!(loss(&logits(2), &[0; 3], &settings).unwrap_err(), size);
    settings.class_weights = Some(vec![1.0; 3]);
    let weights = LossError::ClassWeights { weights: 3, classes: 2 };
    assert_eq!(loss(&logits(2), &[0; 4], &settings).unwrap_err(), weights);
}

#[test]
fn without_a_labelled_pixel_loss_and_gradient_are_zero() {
    for kind in KINDS {
        let settings = Loss { ignore: Some(255), ..Loss::single(kind) };
        let (value, gradients) = loss(&logits(2), &[255; 4], &settings).unwrap();
        assert_eq!(value, 0.0, "{kind:?}");
        assert!(gradients[0].data.iter().all(|&g| g == 0.0), "{kind:?}");
    }
}
