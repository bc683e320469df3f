//! Courses of trainings: averages, accumulation, early ends, time spans, several trainings that belong together.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dapple_base::{InputFault, StopFlag, TimeSpan};
use dapple_data::{Dataset, OpenOptions, synthetic};
use dapple_graph::{LossKind, LossTerm, Optimizer};
use dapple_model::{Provenance, Weights, load_model, load_models};
use dapple_run::sweep::{Sweep, SweepKind};
use dapple_run::{Run, RunFolder};
use dapple_run::{RunError, save_rate_plot};
use dapple_train::{
    EpochRecord, Event, Observer, Outcome, Pace, RateSweep, Schedule, SmallImages, TrainConfig, TrainError,
    UnlabelledConfig,
};

use crate::tiny::{self, checkpoint, engine, rows};

fn config(data: &Path, network: &str) -> TrainConfig {
    tiny::config(data, network, 4)
}

fn dataset(config: &TrainConfig) -> Arc<Dataset> {
    Arc::new(Dataset::open(&config.data.dir, &OpenOptions::default()).expect("the data are fine"))
}

fn start(config: TrainConfig, run: &Path) -> Run {
    let dataset = dataset(&config);
    let run = RunFolder::claim(run, false).expect("a new folder");
    Run::start(config, dataset, run).expect("the settings are fine")
}

fn finish(training: Run) -> Vec<EpochRecord> {
    match training.train(&engine(), &mut (), &StopFlag::new()).expect("it trains") {
        Outcome::Finished { records } => records,
        outcome => panic!("{outcome:?}"),
    }
}

/// The pictures of another data set, without their masks.
fn photos(folder: &Path) -> UnlabelledConfig {
    let photos = folder.join("photos");
    if !photos.exists() {
        synthetic::write(&photos, 11, 5, tiny::SIDE, tiny::SIDE).expect("the folder is writable");
        fs::remove_dir_all(photos.join("masks")).expect("it is there");
    }
    UnlabelledConfig::of_folder(photos)
}

#[test]
fn images_without_labels_teach_nothing_below_the_threshold_and_something_above_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let trained = |name: &str, unlabelled: Option<UnlabelledConfig>| {
        let config = TrainConfig { ema_decay: Some(0.9), unlabelled, ..config(&data, "unet") };
        let run = folder.path().join(name);
        finish(start(config.clone(), &run));
        checkpoint(&run, &config).state.values
    };
    let alone = trained("alone", None);
    let photos = photos(folder.path());
    // Of four classes, one has more than a fifth; and no young network is as sure as this.
    let unsure = UnlabelledConfig { threshold: 0.999_999_9, ..photos.clone() };
    let sure = UnlabelledConfig { threshold: 0.2, ..photos };
    assert_eq!(trained("unsure", Some(unsure)), alone);
    assert_ne!(trained("sure", Some(sure.clone())), alone);
    assert_eq!(trained("without weight", Some(UnlabelledConfig { weight: 0.0, ..sure })), alone);
}

struct StopAfter<'a>(usize, &'a StopFlag);

impl Observer for StopAfter<'_> {
    fn notice(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Batch { .. }) {
            self.0 = self.0.saturating_sub(1);
            if self.0 == 0 {
                self.1.raise();
            }
        }
    }
}

#[test]
fn everything_that_a_step_depends_on_survives_an_interruption() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let term = |kind| LossTerm::new(kind, 0.5);
    for (number, optimizer) in [Optimizer::muon(0.01), Optimizer::lion(0.1)].into_iter().enumerate() {
        let network = ["unet", "unet-resnet18"][number];
        let mut config = config(&data, network);
        config.optimizer = optimizer;
        (config.batch, config.accumulate, config.ema_decay) = (1, 3, Some(0.9));
        if network == "unet" {
            config.small_images = Some(SmallImages::for_share(0.5));
            config.evaluation.every = 2;
            let photos = photos(folder.path());
            config.unlabelled = Some(UnlabelledConfig { threshold: 0.2, ramp: 0.0, ..photos });
        } else {
            (config.encoder_rate, config.freeze_encoder) = (Some(0.5), Some(1));
        }
        config.loss.terms = vec![
            LossTerm { smoothing: Some(0.1), ..term(LossKind::CrossEntropy) },
            term(LossKind::Lovasz),
            LossTerm { keep: Some(0.5), ..term(LossKind::Ohem) },
            LossTerm::new(LossKind::Boundary, 0.01),
        ];
        let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(format!("{name}-{network}")));
        finish(start(config.clone(), &whole));
        let mut training = start(config.clone(), &parts);
        for steps in [2, 3, 1] {
            let flag = StopFlag::new();
            let outcome = training.train(&engine(), &mut StopAfter(steps, &flag), &flag).expect("it trains");
            assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
            training = Run::resume(&parts).expect("the run can be resumed");
        }
        finish(training);
        assert_eq!(rows(&parts), rows(&whole), "{network}");
        let last = checkpoint(&parts, &config);
        assert_eq!(last, checkpoint(&whole, &config), "{network}");
        // Eight batches are three, three and two.
        assert_eq!((last.position.steps, last.average.is_some()), (9, true));
        let best = |run: &Path| fs::read(run.join("best.safetensors")).expect("the run has a best model");
        assert_eq!(best(&parts), best(&whole), "{network}");

        let model = load_model(&whole).expect("it is there");
        let row = &rows(&whole)[model.card.epoch - 1];
        assert_eq!(Provenance::of(&model.card).expect("of this program").weights, row.better_weights());
        let miou = match row.better_weights() {
            Weights::Raw => row.val_miou,
            Weights::Average => row.average_val_miou,
        };
        assert_eq!(model.card.scores["validation"]["dataset"]["miou"].as_f64(), miou);
    }
}

#[test]
fn a_training_that_gets_no_better_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = config(&folder.path().join("data"), "unet");
    (config.epochs, config.patience) = (9, Some(2));
    // Nothing is learned; batch norms alone move what is predicted, and the loss of other pictures in each epoch.
    config.learning_rate = 1e-30;
    let run = folder.path().join("run");
    let records = finish(start(config, &run));
    // No epoch of the last two is the best; those before may have gone on for a falling loss alone.
    let best = dapple_train::best_epoch(&records).expect("it was scored").epoch;
    assert!(records.len() == 9 || records.len() >= best + 2, "{} epochs, the best {best}", records.len());
    let again = Run::resume(&run).expect("the run can be resumed");
    assert_eq!(finish(again).len(), records.len());
}

#[test]
fn a_span_of_time_ends_with_the_schedule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = config(&folder.path().join("data"), "unet");
    // No machine uses up this span in five steps.
    config.time_budget = Some(TimeSpan::seconds(60 * 60));
    config.schedule = Schedule::Poly { power: 1.0 };
    let run = folder.path().join("run");
    let flag = StopFlag::new();
    let training = start(config.clone(), &run);
    let outcome = training.train(&engine(), &mut StopAfter(5, &flag), &flag).expect("it trains");
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
    let pace: Pace = checkpoint(&run, &config).position.pace.expect("it follows the clock");
    assert!(pace.share > 0.0 && pace.share < 1.0 && pace.used > 0.0, "{pace:?}");

    // A span that a slow machine has used up already and a fast one has not: the schedule ends in both cases.
    let settings = run.join("config.toml");
    let mut shorter = TrainConfig::load(&settings).expect("the run has settings");
    shorter.time_budget = Some(TimeSpan::seconds(2));
    shorter.save(&settings).expect("the folder is writable");
    let records = finish(Run::resume(&run).expect("the run can be resumed"));
    let rates: Vec<f64> = records.iter().map(|record| record.learning_rate).collect();
    assert!(rates.windows(2).all(|pair| pair[0] >= pair[1]), "{rates:?}");
    let share = checkpoint(&run, &config).position.pace.expect("it follows the clock").share;
    assert!((share - 1.0).abs() < 1e-9, "{share}");
    let again = Run::resume(&run).expect("the run can be resumed");
    assert_eq!(finish(again).len(), records.len());
}

#[test]
fn exploding_weights_are_diagnosed_and_the_last_good_ones_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let mut config = config(&folder.path().join("data"), "unet");
    config.learning_rate = 1e38;
    config.clip_norm = None;
    config.checkpoint.batches = Some(1);
    config.optimizer = Optimizer::sgd(0.9, 0.0);
    config.schedule = Schedule::Constant;
    let error =
        start(config.clone(), &run).train(&engine(), &mut (), &StopFlag::new()).expect_err("they explode");
    let RunError::Train(TrainError::NotFinite(fault)) = &error else { panic!("{error}") };
    assert_eq!(fault.epoch, 1);
    assert_eq!(fault.last.as_deref(), Some(run.join("last.safetensors").as_path()));
    let message = error.to_string();
    assert!(message.contains("the last good weights are in") && message.contains("--lr"), "{message}");
    assert!(checkpoint(&run, &config).state.values.iter().all(|value| value.is_finite()));
}

#[test]
fn a_run_has_one_writer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let config = config(&folder.path().join("data"), "unet");
    let first = start(config.clone(), &run);
    for error in [
        Run::resume(&run).expect_err("it is in use"),
        Run::start(config.clone(), dataset(&config), RunFolder::claim(&run, true).expect("forced"))
            .expect_err("it is in use"),
    ] {
        assert!(matches!(error, RunError::Lock(_)) && error.is_input_fault(), "{error}");
    }
    assert!(run.join("config.toml").exists(), "nothing was removed");
    drop(first);
    Run::resume(&run).expect("it was let go");
}

#[test]
fn folds_give_one_file_and_are_not_trained_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("folds");
    let mut config = config(&folder.path().join("data"), "unet");
    config.epochs = 1;
    let data = dataset(&config);
    let sweep = Sweep::start(&out, config, SweepKind::Folds(3), false).expect("a new folder");
    let flag = StopFlag::new();
    let stopped =
        sweep.member(0, &data).expect("it begins").train(&engine(), &mut StopAfter(1, &flag), &flag);
    assert!(matches!(stopped, Ok(Outcome::Interrupted { .. })));

    let sweep = Sweep::open(&out).expect("it can be resumed");
    for index in 0..sweep.members().len() {
        finish(sweep.member(index, &data).expect("it begins or resumes"));
    }
    let result = sweep.finish().expect("all are finished");
    assert_eq!(result.members.len(), 3);
    let (mean, deviation) = result.score.expect("all were scored");
    assert!(mean > 0.0 && deviation.is_some());
    let (path, scores) = result.ensemble.expect("folds give one");
    assert!(scores.miou.is_some());
    let models = load_models(&out).expect("the folder's model is the ensemble");
    assert_eq!(models.len(), 3);
    for (index, model) in models.iter().enumerate() {
        let single = load_model(&out.join(format!("fold-{index}"))).expect("the member has a model");
        assert_eq!(model, &single);
    }
    // Every image was left out of one fold.
    let names = |fold: usize| {
        let split =
            dapple_data::Split::load(out.join(format!("fold-{fold}/split.json"))).expect("it has one");
        split.indices(&data).expect("of these data").val
    };
    let mut all: Vec<usize> = (0..3).flat_map(names).collect();
    all.sort_unstable();
    assert_eq!(all, (0..data.len()).collect::<Vec<_>>());
    let error = load_model(&path).expect_err("it holds several").to_string();
    assert!(error.contains("several models"), "{error}");
    let before = fs::read(out.join("fold-1/best.safetensors")).expect("it is there");
    assert_eq!(finish(sweep.member(1, &data).expect("it is finished")).len(), 1);
    assert_eq!(fs::read(out.join("fold-1/best.safetensors")).expect("it is there"), before);
}

#[test]
fn seeds_differ_in_the_seed_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("seeds");
    let mut config = config(&folder.path().join("data"), "unet");
    (config.epochs, config.seed) = (1, 5);
    let data = dataset(&config);
    let sweep = Sweep::start(&out, config, SweepKind::Seeds(2), false).expect("a new folder");
    let seeds: Vec<u64> = (0..2)
        .map(|index| {
            let training = sweep.member(index, &data).expect("it begins");
            let seed = training.config().seed;
            finish(training);
            seed
        })
        .collect();
    assert_eq!(seeds, [5, 6]);
    assert!(sweep.finish().expect("all are finished").ensemble.is_none());
    let split = |seed: usize| fs::read(out.join(format!("seed-{seed}/split.json"))).expect("it has one");
    assert_eq!(split(0), split(1));
    assert!(fs::read_to_string(out.join("members.csv")).expect("it is there").contains("deviation"));
}

#[test]
fn looking_for_a_rate_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config(&folder.path().join("data"), "unet");
    let data = dataset(&config);
    let mut heard = 0;
    let sweep = RateSweep::measure(&config, &data, &engine(), 40, &mut |_, _| {
        heard += 1;
        ControlFlow::Continue(())
    })
    .expect("it is measured");
    assert!(heard == sweep.steps.len() && heard > 10, "{heard}");
    assert!(sweep.steps.windows(2).all(|pair| pair[0].rate < pair[1].rate));
    let plot = folder.path().join("rates.png");
    save_rate_plot(&sweep, &plot).expect("the folder is writable");
    assert!(plot.is_file());
    let names: Vec<_> = fs::read_dir(folder.path()).expect("it can be read").flatten().collect();
    assert_eq!(names.len(), 2, "the data and the plot");
}

#[test]
fn small_images_come_first_and_some_epochs_are_measured() {
    /// Keeps what is said.
    #[derive(Default)]
    struct Notes(Vec<String>);

    impl Observer for Notes {
        fn notice(&mut self, event: &Event<'_>) {
            if let Event::Note(text) = event {
                self.0.push((*text).to_owned());
            }
        }
    }

    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let small_first = |network: &str| {
        let small_images = Some(SmallImages::for_share(0.5));
        TrainConfig { epochs: 6, small_images, ..config(&data, network) }
    };
    let mut config = small_first("unet");
    config.evaluation.every = 4;
    let (run, mut notes) = (folder.path().join("run"), Notes::default());
    let outcome = start(config, &run).train(&engine(), &mut notes, &StopFlag::new()).expect("it trains");
    let Outcome::Finished { records } = outcome else { panic!("{outcome:?}") };
    let sizes = ["epoch 1: images of 16 x 16 from here on", "epoch 4: images of 32 x 32 from here on"];
    assert_eq!(notes.0, sizes);
    let measured: Vec<usize> =
        records.iter().filter(|record| record.val_loss.is_some()).map(|record| record.epoch).collect();
    assert_eq!((measured, records.len()), (vec![1, 4, 6], 6));

    let config = small_first("unet-resnet18");
    let dataset = dataset(&config);
    let claimed = RunFolder::claim(&folder.path().join("other"), false).expect("a new folder");
    let error = Run::start(config, dataset, claimed).expect_err("16 x 16 are too small for it").to_string();
    assert!(error.contains("small_images") && error.contains("larger scale"), "{error}");
}
