//! Losses and optimizers as they stand in configuration files.

use dapple_graph::{Decay, Loss, LossKind, LossTerm, Optimizer, Target};
use serde::de::DeserializeOwned;

fn round_trip<T: serde::Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = toml::to_string(value).unwrap();
    assert_eq!(toml::from_str::<T>(&text).unwrap(), *value, "{text}");
}

#[test]
fn losses_survive_toml() {
    round_trip(&Loss::single(LossKind::CrossEntropy));
    round_trip(&Loss {
        ignore: Some(255),
        class_weights: Some(vec![0.1, 1.0, 4.564]),
        output_weights: vec![1.0, 0.4],
        output_targets: vec![Target::Labels, Target::Boundaries],
        boundary_aware: 1.0,
        ..Loss::sum(&[(LossKind::BinaryCrossEntropy, 1.0), (LossKind::Dice, 0.5)])
    });
}

#[test]
fn settings_of_another_kind_are_named() {
    let smoothed = LossTerm { smoothing: Some(0.1), ..LossTerm::new(LossKind::CrossEntropy, 1.0) };
    round_trip(&smoothed);
    assert_eq!(smoothed.check(), Ok(()));
    let misplaced = LossTerm { kind: LossKind::Dice, ..smoothed };
    assert!(misplaced.check().is_err_and(|error| error.to_string().contains("smoothing")));
    let steep = LossTerm { gamma: Some(0.5), ..LossTerm::new(LossKind::Focal, 1.0) };
    assert!(steep.check().is_err_and(|error| error.to_string().contains("at least 1")));
}

#[test]
fn optimizers_survive_toml() {
    let nesterov =
        Optimizer::Sgd { momentum: 0.99, nesterov: true, weight_decay: 3e-5, decay: Decay::Weights };
    for optimizer in [
        Optimizer::sgd(0.9, 1e-4),
        nesterov,
        Optimizer::rmsprop(0.9),
        Optimizer::adam(),
        Optimizer::adamw(0.01),
        Optimizer::lion(0.1),
        Optimizer::muon(0.01),
    ] {
        round_trip(&optimizer);
    }
}

#[test]
fn settings_are_written_as_people_write_them() {
    let loss: Loss = toml::from_str("terms = [{ kind = 'cross-entropy', weight = 1 }]\nignore = 11").unwrap();
    assert_eq!(loss, Loss { ignore: Some(11), ..Loss::single(LossKind::CrossEntropy) });
    assert_eq!(loss.output_weight(3), 1.0);

    let sgd: Optimizer = toml::from_str("name = 'sgd'\nmomentum = 0.9\ndecay = 'all'").unwrap();
    assert_eq!(sgd, Optimizer::sgd(0.9, 0.0));
    let rmsprop: Optimizer =
        toml::from_str("name = 'rmsprop'\nalpha = 0.99\neps = 1e-8\nmomentum = 0.9\ndecay = 'all'").unwrap();
    assert_eq!(rmsprop, Optimizer::rmsprop(0.9));
    let adamw: Optimizer =
        toml::from_str("name = 'adamw'\nbeta1 = 0.9\nbeta2 = 0.999\neps = 1e-8\nweight_decay = 0.01")
            .unwrap();
    assert_eq!(adamw, Optimizer::adamw(0.01));
}

#[test]
fn unknown_keys_are_errors() {
    let error = toml::from_str::<Loss>("terms = []\nignored = 3").unwrap_err();
    assert!(error.to_string().contains("ignored"), "{error}");
    let error = toml::from_str::<Optimizer>("name = 'sgd'\nmomentum = 0.9\nnestrov = true").unwrap_err();
    assert!(error.to_string().contains("nestrov"), "{error}");
    assert!(toml::from_str::<Optimizer>("name = 'ftrl'").is_err());
}
