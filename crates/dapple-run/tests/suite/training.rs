//! Whole trainings of a tiny network on a few synthetic pictures.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dapple_base::{InputFault, StopFlag};
use dapple_data::{CacheSettings, Dataset, OpenOptions};
use dapple_graph::Engine;
use dapple_model::{EvaluationSet, Provenance, evaluate, input_of, load_model};
use dapple_run::{Run, RunError, RunFolder};
use dapple_train::{Event, Observer, Outcome, TrainConfig};

use crate::tiny::{self, checkpoint, engine, rows};

fn config(data: &Path) -> TrainConfig {
    tiny::config(data, "unet", 2)
}

fn start(config: TrainConfig, run: &Path) -> Result<Run, RunError> {
    let dataset = Dataset::open(&config.data.dir, &OpenOptions::default())?;
    Run::start(config, Arc::new(dataset), RunFolder::claim(run, false)?)
}

/// Raises the flag after so many batches or scored images.
struct StopAfter<'a> {
    batches: usize,
    scored: usize,
    flag: &'a StopFlag,
}

impl Observer for StopAfter<'_> {
    fn notice(&mut self, event: &Event<'_>) {
        let counter = match event {
            Event::Batch { .. } => &mut self.batches,
            Event::Scored { .. } => &mut self.scored,
            _ => return,
        };
        *counter = counter.saturating_sub(1);
        if *counter == 0 {
            self.flag.raise();
        }
    }
}

#[test]
fn an_interrupted_training_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let config = config(&folder.path().join("data"));
    let training = start(config.clone(), &whole).expect("a new run");
    let finished = training.train(&engine(), &mut (), &StopFlag::new()).expect("it trains");
    assert!(matches!(finished, Outcome::Finished { ref records } if records.len() == 3));

    // In the middle of an epoch, in the middle of a validation, and right at the start; with what a crash leaves behind.
    let mut training = start(config.clone(), &parts).expect("a new run");
    for (batches, scored) in [(6, usize::MAX), (usize::MAX, 3), (1, usize::MAX)] {
        let flag = StopFlag::new();
        let mut observer = StopAfter { batches, scored, flag: &flag };
        let outcome = training.train(&engine(), &mut observer, &flag).expect("it trains");
        assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
        let leftover = parts.join(".last.safetensors.1.0.tmp");
        fs::write(&leftover, "half a checkpoint").expect("the folder is writable");
        training = Run::resume(&parts).expect("the run can be resumed");
        assert!(!leftover.exists());
    }
    let finished = training.train(&engine(), &mut (), &StopFlag::new()).expect("it trains");
    assert!(matches!(finished, Outcome::Finished { ref records } if records.len() == 3));

    assert_eq!(rows(&parts), rows(&whole));
    assert_eq!(checkpoint(&parts, &config), checkpoint(&whole, &config));
    let best = |run: &Path| fs::read(run.join("best.safetensors")).expect("the run has a best model");
    assert_eq!(best(&parts), best(&whole));
}

#[test]
fn a_saved_model_measures_as_it_did_in_training() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let training = start(config(&folder.path().join("data")), &run).expect("a new run");
    let dataset = Arc::clone(training.dataset());
    training.train(&engine(), &mut (), &StopFlag::new()).expect("it trains");

    let model = load_model(&run).expect("the run has a best model");
    let names = dapple_data::Split::load(run.join("split.json")).expect("the run has a division");
    let samples = names.indices(&dataset).expect("the data are the same").val;
    let input = input_of(&model.card).expect("a model of this program");
    let set =
        EvaluationSet::new(&dataset, &samples, input, 2, CacheSettings::None).expect("there are samples");
    let network = Arc::new(model.card.network.clone());
    let mut executor = engine().load(network, &model.state).expect("the state fits");
    let loss = Provenance::of(&model.card).expect("a model of this program").loss;
    let found = evaluate(executor.as_mut(), &set, &loss, &mut |_| ControlFlow::Continue(()))
        .expect("it evaluates")
        .expect("nothing ends it early");

    let row = &rows(&run)[model.card.epoch - 1];
    assert_eq!(Some(found.loss), row.val_loss);
    assert_eq!(found.scores.dataset.miou, row.val_miou);
    assert_eq!(found.scores.dataset.boundary_miou, row.val_boundary_miou);
    assert_eq!(found.scores.per_image.miou, row.val_image_miou);
    assert_eq!(model.card.scores["validation"]["dataset"]["miou"].as_f64(), row.val_miou);
}

#[test]
fn a_loss_that_overflows_ends_the_training_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let mut config = config(&folder.path().join("data"));
    config.learning_rate = 1e30;
    config.clip_norm = None;
    config.checkpoint.batches = Some(1);
    config.optimizer = dapple_graph::Optimizer::sgd(0.9, 0.0);
    config.schedule = dapple_train::Schedule::Constant;
    let training = start(config.clone(), &run).expect("a new run");
    let error = training.train(&engine(), &mut (), &StopFlag::new()).expect_err("the weights overflow");
    assert!(!error.is_input_fault());
    let message = error.to_string();
    assert!(message.contains("epoch 1, batch") && message.contains("synthetic"), "{message}");
    assert!(checkpoint(&run, &config).state.values.iter().all(|value| value.is_finite()));
}

#[test]
fn a_run_has_its_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let mut config = config(&folder.path().join("data"));
    config.epochs = 1;
    let training = start(config.clone(), &run).expect("a new run");
    training.train(&engine(), &mut (), &StopFlag::new()).expect("it trains");
    for file in [
        "config.toml",
        "split.json",
        "data.json",
        "metrics.csv",
        "metrics.jsonl",
        "curves.svg",
        "curves.png",
        "best.safetensors",
        "best.json",
        "last.safetensors",
        "samples/best-median-worst.png",
        "classes.jsonl",
        "run.json",
        "progress.json",
        "log.txt",
        "evaluation.json",
        "extremes/1-errors.jpg",
        "report.html",
        "report.md",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    for folder in ["samples", "strips", "current"] {
        let files: Vec<_> = fs::read_dir(run.join(folder)).expect("the folder is there").flatten().collect();
        let numbered = files.iter().filter(|file| file.file_name().to_string_lossy().starts_with("01-"));
        assert_eq!(numbered.count(), 1, "{folder}");
    }
    assert_eq!(TrainConfig::load(&run.join("config.toml")).expect("written by us"), config);

    // Resuming a finished run changes nothing.
    let before = rows(&run);
    let training = Run::resume(&run).expect("the run can be resumed");
    assert!(matches!(training.train(&engine(), &mut (), &StopFlag::new()), Ok(Outcome::Finished { .. })));
    assert_eq!(rows(&run), before);
}

#[test]
fn training_without_validation_keeps_the_latest_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let mut config = config(&folder.path().join("data"));
    config.epochs = 2;
    config.data.train_fraction = 1.0;
    let training = start(config, &run).expect("a new run");
    training.train(&engine(), &mut (), &StopFlag::new()).expect("it trains");
    assert_eq!(load_model(&run).expect("a model was saved").card.epoch, 2);
    assert_eq!(rows(&run)[1].val_miou, None);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let refused = |change: &dyn Fn(&mut TrainConfig), wanted: &str| {
        let mut config = config(&data);
        change(&mut config);
        let error = start(config, &folder.path().join("run")).expect_err("the setting is wrong");
        assert!(error.is_input_fault() && error.to_string().contains(wanted), "{error}");
        let _ = fs::remove_dir_all(folder.path().join("run"));
    };
    refused(&|c| c.network.classes = 3, "3 classes but the data has 5");
    refused(&|c| c.network.in_channels = 1, "make them equal");
    refused(&|c| c.learning_rate = -1.0, "`learning_rate`");
    refused(&|c| c.batch = 0, "at least 1");
    refused(&|c| c.loss.terms.clear(), "no terms");
    refused(&|c| c.data.train_fraction = 1.5, "`data.train_fraction`");
}
