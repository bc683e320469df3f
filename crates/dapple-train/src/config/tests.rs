//! Every key has its setting, every setting its key, and the page is theirs.

use std::collections::BTreeSet;
use std::path::Path;

use dapple_base::{ByteSize, TimeSpan};
use dapple_data::{Format, LabelCoding, MaskOrientation};
use dapple_graph::{Decay, LossKind, LossTerm, Optimizer, Precision};
use dapple_nets::{DecoderAttention, Dilation, Head};
use toml::{Table, Value};

use super::catalogue::{all, find, flags};
use super::kind::Kind;
use super::page::page;
use super::schedule::Schedule;
use super::setting::Edit;
use super::small_images::SmallImages;
use super::train_config::TrainConfig;
use super::unlabelled::UnlabelledConfig;

fn plain() -> TrainConfig {
    TrainConfig::for_network("unet", 2, Path::new("data")).expect("a network")
}

/// Settings without gaps, one for each optimizer and schedule.
fn full() -> Vec<TrainConfig> {
    let term = LossTerm {
        smoothing: Some(0.1),
        gamma: Some(2.0),
        alpha: Some(0.3),
        beta: Some(0.7),
        keep: Some(0.5),
        ..LossTerm::new(LossKind::CrossEntropy, 1.0)
    };
    let mut config = plain();
    config.recipe = Some("unet-horse".into());
    config.accumulate = 2;
    config.ema_decay = Some(0.99);
    config.patience = Some(3);
    config.time_budget = Some(TimeSpan::seconds(60));
    config.encoder_rate = Some(0.1);
    config.freeze_encoder = Some(1);
    config.freeze_norms = true;
    config.sync_norms = Some(false);
    config.precision = Precision::Bf16;
    config.threads = Some(2);
    config.memory_limit = "2GiB".parse::<ByteSize>().ok();
    config.init = Some("weights.safetensors".into());
    config.network.head = Some(Head::Dense);
    config.network.decoder_width = Some(16);
    config.network.decoder_attention = Some(DecoderAttention::Scse);
    config.network.output_stride = Some(8);
    config.network.dropout = Some(0.1);
    config.network.drop_path = Some(0.1);
    config.network.dilation = Some(Dilation::Later);
    config.data.format = Some(Format::Voc);
    config.data.ignore = Some(255);
    config.data.mask_orientation = Some(MaskOrientation::Upright);
    config.data.mask_suffix = Some("_manual1".into());
    config.data.value_range = "0..4095".parse().ok();
    config.data.coding = Some(LabelCoding::Binary { background: 0, foreground: 255 });
    config.data.split = Some("split.json".into());
    config.data.group = Some("^(.*)_".into());
    config.data.folds = Some(5);
    config.augment.crop = Some([32, 32]);
    config.loss.output_weights = vec![1.0, 0.5];
    config.loss.boundary_aware = 1.0;
    config.loss.terms = vec![term];
    config.small_images = Some(SmallImages::for_share(0.5));
    config.unlabelled = Some(UnlabelledConfig::of_folder("photos".into()));
    config.evaluation.every = 2;
    config.evaluation.train_images = Some(5);
    config.checkpoint.batches = Some(50);
    let optimizers = [
        Optimizer::sgd(0.9, 0.0),
        Optimizer::rmsprop(0.9),
        Optimizer::adam(),
        Optimizer::adamw(0.01),
        Optimizer::lion(0.1),
        Optimizer::muon(0.01),
    ];
    let schedules =
        [Schedule::Constant, Schedule::Poly { power: 0.9 }, Schedule::Cosine { warm_up: 0.05, floor: 0.01 }];
    let with = |(optimizer, schedule)| TrainConfig { optimizer, schedule, ..config.clone() };
    optimizers.into_iter().zip(schedules.into_iter().cycle()).map(with).collect()
}

/// All keys, tables included; a value that the catalogue takes as a whole is one key.
fn keys(prefix: &str, table: &Table, found: &mut BTreeSet<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        found.insert(key.clone());
        match value {
            _ if find(&key).is_some_and(|setting| !matches!(setting.kind, Kind::Table)) => {}
            Value::Table(inner) => keys(&key, inner, found),
            Value::Array(values) => {
                values.iter().filter_map(Value::as_table).for_each(|inner| keys(&key, inner, found));
            }
            _ => {}
        }
    }
}

#[test]
fn every_key_has_its_setting_and_every_setting_its_key() {
    let mut found = BTreeSet::new();
    for config in full() {
        keys("", &config.to_toml().parse().expect("just written"), &mut found);
    }
    let known: BTreeSet<String> = all().map(|setting| setting.key.to_owned()).collect();
    assert_eq!(found, known);
    assert_eq!(all().count(), known.len(), "no key is defined twice");
}

#[test]
fn every_key_has_a_comment_in_the_file() {
    for config in full() {
        let text = config.to_toml();
        let (mut before, mut table) = ("", "");
        for line in text.lines() {
            if line.starts_with('[') {
                table = line.trim_matches(['[', ']']);
            }
            // Continued lists and the keys of a value that is a table itself have no comment of their own.
            let is_key =
                line.contains(" = ") && !line.starts_with([' ', '#']) && !table.starts_with("data.coding");
            if line.starts_with('[') || is_key {
                assert!(before.starts_with("# ") && before.ends_with('.'), "no comment at {line}");
            }
            before = line;
        }
        assert_eq!(TrainConfig::from_toml(&text), Ok(config));
    }
}

#[test]
fn examples_are_values() {
    for setting in all().filter(|setting| !matches!(setting.kind, Kind::Table)) {
        let table: Table = format!("value = {}", setting.example).parse().expect(setting.key);
        assert!(setting.kind.takes(&table["value"]), "{}: {}", setting.key, setting.example);
    }
}

#[test]
fn flags_have_names_of_their_own_and_keys_that_exist() {
    let names: BTreeSet<&str> = flags().map(|(_, flag)| flag.name).collect();
    assert_eq!(flags().count(), names.len());
    for (setting, flag) in flags() {
        assert!(flag.also.iter().all(|key| find(key).is_some()), "{}", flag.name);
        assert!(flag.conflicts.iter().all(|other| names.contains(other)), "{}", flag.name);
        // Whoever has no words of its own takes those of the setting; a table is not a value.
        let placed = matches!(flag.edit, Edit::Value);
        assert!(!placed || !matches!(setting.kind, Kind::Table | Kind::Other(_)), "{}", flag.name);
    }
}

#[test]
fn values_out_of_range_are_named_with_those_that_fit() {
    let refused = |change: fn(&mut TrainConfig)| {
        let mut config = plain();
        change(&mut config);
        config.check().expect_err("out of range").to_string()
    };
    let adam =
        |beta1, eps| Optimizer::Adam { beta1, beta2: 0.999, eps, weight_decay: 0.0, decay: Decay::All };
    assert_eq!(refused(|c| c.batch = 0), "`batch` is 0; give a whole number of at least 1");
    assert_eq!(
        refused(|c| c.clip_norm = Some(0.0)),
        "`clip_norm` is 0.0; give a number above 0, or leave it out for no limit"
    );
    type Change = fn(&mut TrainConfig);
    let cases: [(Change, &str); 19] = [
        (|c| c.epochs = 0, "`epochs`"),
        (|c| c.learning_rate = f64::NAN, "`learning_rate` is nan"),
        (|c| c.learning_rate = f64::INFINITY, "`learning_rate` is inf"),
        (|c| c.accumulate = 0, "`accumulate`"),
        (|c| c.patience = Some(0), "`patience`"),
        (|c| c.evaluation.every = 0, "`evaluation.every`"),
        (|c| c.ema_decay = Some(1.0), "`ema_decay` is 1.0; give a number from 0 to below 1"),
        (|c| c.encoder_rate = Some(0.0), "freeze_encoder"),
        (|c| c.threads = Some(5000), "`threads` is 5000; give a whole number from 1 to 4096"),
        (|c| c.data.threads = 5000, "`data.threads`"),
        (|c| c.data.train_fraction = 0.0, "`data.train_fraction`"),
        (|c| c.loss.terms[0].weight = -1.0, "`loss.terms.weight` is -1.0; give a number of at least 0"),
        (|c| c.checkpoint.minutes = 0.0, "`checkpoint.minutes`"),
        (|c| c.schedule = Schedule::Poly { power: -1.0 }, "`schedule.power`"),
        (|c| c.schedule = Schedule::Cosine { warm_up: 1.0, floor: 0.0 }, "`schedule.warm_up`"),
        (|c| c.schedule = Schedule::Cosine { warm_up: 0.1, floor: f64::NAN }, "`schedule.floor`"),
        (|c| c.loss.boundary_aware = 1.0, "pidnet-s"),
        (|c| c.unlabelled = Some(UnlabelledConfig::of_folder("photos".into())), "--ema 0.999"),
        (|c| c.seed = u64::MAX, "TOML"),
    ];
    for (change, wanted) in cases {
        let message = refused(change);
        assert!(message.contains(wanted), "{message}");
    }
    for (optimizer, wanted) in
        [(adam(1.0, 1e-8), "`optimizer.beta1` is 1.0"), (adam(0.9, -1e-8), "`optimizer.eps` is -")]
    {
        let message = TrainConfig { optimizer, ..plain() }.check().expect_err("out of range").to_string();
        assert!(message.contains(wanted), "{message}");
    }
    let small = SmallImages { share: 0.5, scale: 1.0 };
    let message =
        TrainConfig { small_images: Some(small), ..plain() }.check().expect_err("as large").to_string();
    assert!(message.contains("`small_images.scale` is 1.0; give a number above 0 and below 1"), "{message}");
}

#[test]
fn ranges_are_those_of_the_crates_that_use_the_values() {
    for setting in all().filter(|setting| setting.key.starts_with("augment.")) {
        let Kind::Number(range) = setting.kind else { continue };
        let name = setting.key.trim_start_matches("augment.");
        for value in [-0.01, 0.0, 0.1, 0.2, 0.21, 0.9, 0.91, 1.0, 1.01, 4.0, 4.1, 45.0, 46.0, 180.0, 181.0] {
            let mut table = Table::try_from(plain().augment).expect("numbers and words");
            table.insert(name.into(), Value::Float(value));
            let augment: dapple_data::Augment = table.try_into().expect("a number");
            assert_eq!(range.contains(value), augment.validate(&plain().input).is_ok(), "{name} = {value}");
        }
    }
}

#[test]
fn flags_change_their_keys() {
    let with = |flags: &[(&str, &str)]| {
        let mut config = plain();
        config.reasons = vec![("batch".into(), "it fits".into())];
        let named =
            |&(name, text)| (super::catalogue::flags().find(|(_, f)| f.name == name).expect(name).0, text);
        config.apply(flags.iter().map(named)).map(|()| config)
    };
    let config = with(&[
        ("lr", "0.0003"),
        ("optimizer", "lion"),
        ("size", "192x256"),
        ("ema", "0.999"),
        ("clip", "0"),
    ])
    .expect("values that fit");
    assert_eq!((config.learning_rate, config.optimizer), (0.0003, Optimizer::lion(0.1)));
    assert_eq!((config.input.height, config.input.width), (192, 256));
    assert_eq!((config.ema_decay, config.clip_norm), (Some(0.999), None));
    assert_eq!(config.reasons.len(), 1);
    assert_eq!(with(&[("optimizer", "lion")]).expect("a word").learning_rate, 1e-3 / 5.0);

    let config = with(&[
        ("label-smoothing", "0.1"),
        ("loss", "ce+dice"),
        ("output-weights", "1,0.5"),
        ("skip-bad", "true"),
    ])
    .expect("values that fit");
    assert_eq!(config.loss.terms[0].smoothing, Some(0.1));
    assert_eq!((config.loss.output_weights, config.data.skip_bad), (vec![1.0, 0.5], true));

    let message =
        with(&[("label-smoothing", "0.1"), ("loss", "bce")]).expect_err("no cross-entropy").to_string();
    assert!(message.starts_with("--label-smoothing"), "{message}");
    let message = with(&[("batch", "0")]).expect_err("out of range").to_string();
    assert_eq!(message, "--batch: give a whole number of at least 1");
    let nothing = with(&[]).expect("nothing to do");
    assert_eq!(TrainConfig { reasons: Vec::new(), ..nothing }, plain());
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/src/settings.md");
    // A packaged crate has no guide.
    let Ok(written) = std::fs::read_to_string(path) else { return };
    assert_eq!(
        written,
        page(),
        "run: cargo run -p dapple-train --example settings > docs/guide/src/settings.md"
    );
}
