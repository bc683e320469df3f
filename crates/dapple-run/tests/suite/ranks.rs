//! Trainings over several ranks, which are threads here: the same as one process, in any number.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use dapple_base::{Ranks, StopFlag, ThreadRank, thread_ranks};
use dapple_cpu::CpuEngine;
use dapple_data::{Dataset, OpenOptions};
use dapple_graph::{LossKind, LossTerm, Optimizer};
use dapple_train::{Checkpoint, Event, Observer, Outcome, Schedule, TrainConfig, Training, TrainingFiles};

use crate::tiny::{self, checkpoint, rows};

/// A training by some ranks.
struct Job<'a> {
    config: &'a TrainConfig,
    folder: &'a Path,
    resume: bool,
    /// Batches after which the last rank is asked to stop.
    stop_after: usize,
    /// The data of the last rank, where they are elsewhere.
    other_data: Option<&'a Path>,
}

impl<'a> Job<'a> {
    fn new(config: &'a TrainConfig, folder: &'a Path) -> Self {
        Self { config, folder, resume: false, stop_after: usize::MAX, other_data: None }
    }

    /// Trains with so many ranks; what each comes to, errors in their words.
    fn run(&self, size: usize) -> Vec<Result<Outcome, String>> {
        fs::create_dir_all(self.folder).expect("the folder is writable");
        thread::scope(|scope| {
            let ranks = thread_ranks(size).into_iter();
            let threads: Vec<_> = ranks.map(|rank| scope.spawn(move || self.one(rank))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no rank panics")).collect()
        })
    }

    /// Trains to the end with so many ranks, and returns the last checkpoint.
    fn finish(&self, size: usize) -> Checkpoint {
        for outcome in self.run(size) {
            assert!(matches!(outcome, Ok(Outcome::Finished { .. })), "{outcome:?}");
        }
        checkpoint(self.folder, self.config)
    }

    fn one(&self, rank: ThreadRank) -> Result<Outcome, String> {
        let is_last = rank.rank() + 1 == rank.size();
        // Rank 0 alone writes; the others could not.
        let folder = match rank.is_first() || self.resume {
            true => self.folder.to_owned(),
            false => PathBuf::from("/nowhere/to/be/written"),
        };
        let ranks: Arc<dyn Ranks> = Arc::new(rank);
        let train = || {
            let config = self.config.clone();
            let data = self.other_data.filter(|_| is_last).unwrap_or(&config.data.dir);
            let dataset = Dataset::open(data, &OpenOptions::default()).expect("a data set");
            if self.other_data.is_some() && is_last {
                fs::remove_dir_all(data).expect("the folder is writable");
            }
            let (dataset, files) = (Arc::new(dataset), TrainingFiles::new(folder));
            let training = match self.resume {
                true => {
                    let split = config.data.divide(&dataset).expect("the data can be divided");
                    Training::resume(config, dataset, split, &files)
                }
                false => Training::new(config, dataset),
            };
            let stop = StopFlag::new();
            let mut observer =
                StopAfter { batches: if is_last { self.stop_after } else { usize::MAX }, flag: &stop };
            let engine = CpuEngine::new(Some(1)).expect("threads can be started");
            training?.over(Arc::clone(&ranks)).run(files, &engine, &mut observer, &mut (), &stop)
        };
        let done = train().map_err(|error| error.to_string());
        if let Err(message) = &done {
            ranks.end(message, 1);
        }
        done
    }
}

/// Raises the flag after so many batches.
struct StopAfter<'a> {
    batches: usize,
    flag: &'a StopFlag,
}

impl Observer for StopAfter<'_> {
    fn notice(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Batch { .. }) {
            self.batches = self.batches.saturating_sub(1);
            if self.batches == 0 {
                self.flag.raise();
            }
        }
    }
}

/// Three epochs of two batches of four images; steps that are linear in the gradient, so that roundings stay small.
fn config(folder: &Path) -> TrainConfig {
    let mut config = tiny::config(&folder.join("data"), "unet", 2);
    config.batch = 4;
    config.optimizer = Optimizer::sgd(0.9, 0.0);
    config.learning_rate = 0.05;
    config.schedule = Schedule::Constant;
    config
}

/// The largest difference, as a share of the largest value.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    a.iter().zip(b).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs())) / largest
}

fn assert_near(found: &Checkpoint, wanted: &Checkpoint, words: &str) {
    let values = distance(&wanted.state.values, &found.state.values);
    let statistics = distance(&wanted.state.statistics, &found.state.statistics);
    assert!(values < 1e-3 && statistics < 1e-3, "{words}: {values}, {statistics}");
    assert_eq!(wanted.average.is_some(), found.average.is_some());
    for (wanted, found) in wanted.average.iter().zip(&found.average) {
        assert!(distance(&wanted.values, &found.values) < 1e-3, "{words}: average");
    }
    assert_eq!((wanted.position.steps, wanted.position.epochs_done), (found.position.steps, 3));
}

/// Without the times, which no two runs share.
fn timeless(mut checkpoint: Checkpoint) -> Checkpoint {
    (checkpoint.position.seconds, checkpoint.position.wait_seconds) = (0.0, 0.0);
    checkpoint
}

#[test]
fn ranks_learn_what_one_process_learns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = config(folder.path());
    // Everything that looks at a whole batch or at several of them.
    let mut rich = plain.clone();
    rich.accumulate = 2;
    rich.ema_decay = Some(0.9);
    rich.clip_norm = Some(0.5);
    let kinds = [LossKind::Lovasz, LossKind::Ohem, LossKind::Focal, LossKind::Tversky, LossKind::Boundary];
    rich.loss.terms.extend(kinds.map(|kind| LossTerm::new(kind, 0.1)));
    for (name, config) in [("plain", plain), ("rich", rich)] {
        let at = |number: usize| folder.path().join(format!("{name}-{number}"));
        let wanted = Job::new(&config, &at(1)).finish(1);
        for size in [2, 3] {
            let found = Job::new(&config, &at(size)).finish(size);
            assert_near(&found, &wanted, &format!("{name}, {size} ranks"));
            for (wanted, found) in rows(&at(1)).iter().zip(&rows(&at(size))) {
                let near = |a: f64, b: f64| (a - b).abs() < 1e-3 * (1.0 + a.abs());
                assert!(near(wanted.train_loss, found.train_loss), "{wanted:?} {found:?}");
                assert!(near(wanted.gradient_norm, found.gradient_norm), "{wanted:?} {found:?}");
                let losses = wanted.val_loss.zip(found.val_loss).expect("both are measured");
                assert!(near(losses.0, losses.1), "{wanted:?} {found:?}");
            }
        }
        let again = folder.path().join(format!("{name}-again"));
        let again = timeless(Job::new(&config, &again).finish(2));
        assert!(again == timeless(checkpoint(&at(2), &config)), "{name}: two ranks twice are not the same");
    }
}

#[test]
fn a_checkpoint_goes_on_with_another_number_of_ranks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config(folder.path());
    let whole = folder.path().join("whole");
    let wanted = Job::new(&config, &whole).finish(1);
    for (before, after) in [(2, 1), (1, 2), (2, 3)] {
        let run = folder.path().join(format!("{before}-{after}"));
        // In the middle of an epoch; one of the ranks is asked.
        for outcome in (Job { stop_after: 3, ..Job::new(&config, &run) }).run(before) {
            assert!(
                matches!(outcome, Ok(Outcome::Interrupted { epochs_done: 1, batches_done: 1 })),
                "{outcome:?}"
            );
        }
        let found = Job { resume: true, ..Job::new(&config, &run) }.finish(after);
        assert_near(&found, &wanted, &format!("{before} ranks, then {after}"));
    }
}

#[test]
fn norms_may_be_each_ranks_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = config(folder.path());
    config.ema_decay = Some(0.9);
    let joint = Job::new(&config, &folder.path().join("joint")).finish(2);
    config.sync_norms = Some(false);
    let own = Job::new(&config, &folder.path().join("own")).finish(2);
    assert!(own.state.values.iter().chain(&own.state.statistics).all(|value| value.is_finite()));
    assert!(distance(&joint.state.values, &own.state.values) > 1e-3, "norms made no difference");
    let again = Job::new(&config, &folder.path().join("again")).finish(2);
    assert!(timeless(again) == timeless(own));
}

#[test]
fn an_error_of_one_rank_ends_all_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config(folder.path());
    let (run, other) = (folder.path().join("run"), folder.path().join("other"));
    copy(&config.data.dir, &other);
    let told = Job { other_data: Some(&other), ..Job::new(&config, &run) }.run(2);
    let messages: Vec<String> = told.into_iter().map(|end| end.expect_err("images are gone")).collect();
    assert!(messages[0] == messages[1] && messages[0].contains("other"), "{messages:?}");
    assert_eq!(checkpoint(&run, &config).position.steps, 0);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is writable");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).expect("the folder is writable");
            }
        }
    }
}

#[test]
fn too_many_ranks_for_a_batch_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = config(folder.path());
    config.batch = 2;
    let told = Job::new(&config, &folder.path().join("run")).run(3);
    let message = told[0].as_ref().expect_err("three ranks for two images");
    assert!(message.contains("a batch of 2 images") && message.contains("3 processes"), "{message}");
}
