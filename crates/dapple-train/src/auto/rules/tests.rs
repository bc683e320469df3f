//! The rules with facts of all kinds.

use super::*;
use crate::auto::pretrained::Origin;
use crate::config::settings::find;
use dapple_base::{Normalization, TimeSpan};

fn horses() -> DataFacts {
    DataFacts {
        train_images: 278,
        val_images: 49,
        classes: 2,
        size: (200, 250),
        shares: vec![0.74, 0.26],
        thickness: Some(20.0),
    }
}

const LAPTOP: MachineFacts = MachineFacts { threads: 8, memory: 16 << 30, speed: 3e10 };

fn chosen(data: &DataFacts, machine: MachineFacts, wishes: Wishes) -> Chosen {
    let chosen = choose(data, &machine, &wishes, Path::new("data")).expect("the rules fit their networks");
    chosen.config.check().expect("the rules' settings are valid");
    for Choice { key, .. } in &chosen.choices {
        assert!(find(key).is_some_and(|setting| setting.auto), "{key}");
    }
    chosen
}

#[test]
fn the_horses_get_a_network_of_their_size() {
    let Chosen { config, choices, pretrained } = chosen(&horses(), LAPTOP, Wishes::default());
    assert_eq!(pretrained, None, "none is at hand");
    assert_eq!((config.input.height, config.input.width), (192, 256));
    assert_eq!((config.network.name.as_str(), config.batch, config.accumulate), (THOROUGH, 2, 1));
    assert_eq!((config.loss.class_weights, config.augment), (ClassWeights::None, Augment::medium()));
    assert!(config.ema_decay.is_some_and(|decay| (0.9..1.0).contains(&decay)));
    assert_eq!((config.learning_rate, config.evaluation.every), (5e-4, 2));
    assert_eq!(config.small_images, Some(SmallImages::for_share(SMALL)));
    assert!(choices.iter().all(|choice| !choice.value.is_empty() && !choice.reason.is_empty()));
}

#[test]
fn more_time_or_a_better_machine_never_means_less() {
    let classes = DataFacts { classes: 21, shares: vec![1.0 / 21.0; 21], ..horses() };
    let width = |threads, profile| {
        let wishes = Wishes { profile, ..Wishes::default() };
        let network = chosen(&classes, MachineFacts { threads, ..LAPTOP }, wishes).config.network;
        assert_eq!(network.name, "unet");
        network.width
    };
    let network = |minutes: u64| {
        let time_budget = Some(TimeSpan::seconds(60 * minutes));
        chosen(&horses(), LAPTOP, Wishes { time_budget, ..Wishes::default() }).config.network.name
    };
    assert_eq!((network(5), network(30)), ("unet".to_owned(), THOROUGH.to_owned()));
    assert!(width(2, Profile::Balanced) <= width(8, Profile::Balanced));
    assert!(width(8, Profile::Balanced) <= width(64, Profile::Balanced));
    let pixels = |profile| {
        let data = DataFacts { size: (1000, 1500), ..horses() };
        let input = chosen(&data, LAPTOP, Wishes { profile, ..Wishes::default() }).config.input;
        input.height * input.width
    };
    assert!(pixels(Profile::Fast) < pixels(Profile::Balanced));
    assert!(pixels(Profile::Balanced) < pixels(Profile::Best));
}

#[test]
fn little_memory_is_made_up_for_by_accumulation() {
    let machine = MachineFacts { memory: 400 << 20, ..LAPTOP };
    let wishes = Wishes { width: Some(32), ..Wishes::default() };
    let config = chosen(&horses(), machine, wishes).config;
    assert!(config.batch == 1 && config.accumulate == 2, "{} x {}", config.batch, config.accumulate);
}

#[test]
fn rare_classes_get_weights_and_thin_things_pixels() {
    let streets = DataFacts {
        train_images: 367,
        val_images: 101,
        classes: 11,
        size: (720, 960),
        shares: vec![0.17, 0.23, 0.001, 0.29, 0.08, 0.1, 0.01, 0.01, 0.06, 0.03, 0.02],
        thickness: Some(30.0),
    };
    let normal = chosen(&streets, LAPTOP, Wishes::default()).config;
    assert_eq!(normal.loss.class_weights, ClassWeights::MedianFrequency);
    let thin = DataFacts { thickness: Some(3.0), ..streets };
    let larger = chosen(&thin, LAPTOP, Wishes::default()).config.input;
    assert!(larger.height * larger.width > 3 * normal.input.height * normal.input.width / 2);
}

#[test]
fn wishes_stand_above_the_rules() {
    let wishes = Wishes {
        network: Some("u2net-lite".into()),
        size: Some((96, 64)),
        batch: Some(3),
        epochs: Some(7),
        time_budget: Some(TimeSpan::seconds(60)),
        ..Wishes::default()
    };
    let Chosen { config, choices, .. } = chosen(&horses(), LAPTOP, wishes);
    assert_eq!((config.input.height, config.input.width, config.batch, config.epochs), (96, 64, 3, 7));
    assert_eq!((config.network.name.as_str(), config.time_budget), ("u2net-lite", None));
    assert!(choices.iter().all(|choice| !["batch", "epochs", "input.height"].contains(&choice.key)));
}

#[test]
fn a_pretrained_encoder_comes_before_random_weights() {
    let weights = |encoder: &'static str, origin| Pretrained {
        encoder,
        weights: encoder.replace('-', "_"),
        accuracy: Some(75.1),
        origin,
    };
    let lite = || weights("efficientnet-lite0", Origin::Fetched);
    let wishes = || Wishes { pretrained: vec![lite()], ..Wishes::default() };
    let Chosen { config, choices, pretrained } = chosen(&horses(), LAPTOP, wishes());
    assert_eq!((config.network.name.as_str(), pretrained), ("unet-efficientnet-lite0", Some(lite())));
    assert_eq!((config.encoder_rate, config.freeze_norms), (Some(ENCODER_RATE), true));
    assert_eq!((config.network.width, config.network.decoder_width), (32, Some(16)));
    assert_eq!(config.input.normalization, Normalization::Lite, "that of the weights");
    assert_eq!(config.init, None, "the file is the caller's");
    let reason = |key: &str| choices.iter().find(|choice| choice.key == key).map(|choice| choice.to_string());
    assert!(reason("network.name").is_some_and(|reason| reason.contains("75.1 %")), "{choices:?}");
    assert!(reason("init").is_some_and(|reason| reason.contains("efficientnet_lite0")), "{choices:?}");

    // No more epochs than the hour allows.
    for threads in 1..=8 {
        let machine = MachineFacts { threads, ..LAPTOP };
        let Chosen { config, pretrained, .. } = chosen(&horses(), machine, wishes());
        let cost = Cost::of(&config.network, (192, 256), &machine).expect("the size fits");
        let hour = cost.seconds * (config.epochs * 278) as f64;
        assert!(pretrained.is_none() || hour < 3601.0, "{hour} seconds on {threads} threads");
    }

    // The user's network, if it is on that encoder, is given the weights however little the time is.
    let seconds = Some(TimeSpan::seconds(10));
    let named = |name: &str| {
        let wishes = Wishes { network: Some(name.into()), time_budget: seconds, ..wishes() };
        chosen(&horses(), LAPTOP, wishes)
    };
    let fpn = named("fpn-efficientnet-lite0");
    assert_eq!(
        (fpn.pretrained, fpn.config.network.decoder_width),
        (Some(lite()), None),
        "the user's as published"
    );
    assert_eq!(named("fpn-resnet18").pretrained, None);
    assert_eq!(named("u2net-lite").pretrained, None);
    // No encoder of another width, and none that the time does not allow.
    let narrow = Wishes { width: Some(16), ..wishes() };
    assert_eq!(chosen(&horses(), LAPTOP, narrow).pretrained, None);
    let hasty = Wishes { time_budget: seconds, ..wishes() };
    assert_eq!(chosen(&horses(), LAPTOP, hasty).pretrained, None);
}

#[test]
fn one_tiny_image_is_enough() {
    let data = DataFacts {
        train_images: 1,
        val_images: 0,
        classes: 3,
        size: (9, 5),
        shares: vec![1.0, 0.0, 0.0],
        thickness: None,
    };
    for profile in [Profile::Fast, Profile::Balanced, Profile::Best] {
        let machine = MachineFacts { threads: 1, memory: 1 << 20, speed: 1e10 };
        let config = chosen(&data, machine, Wishes { profile, ..Wishes::default() }).config;
        assert_eq!((config.input.height, config.input.width, config.batch), (32, 32, 1));
    }
}
