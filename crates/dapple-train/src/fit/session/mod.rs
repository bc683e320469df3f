//! The loop: batches, validation, checkpoints.

mod epoch_end;
mod learn;
mod part;
mod timing;
mod together;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dapple_data::{Loader, LoaderSettings};
use dapple_graph::{DropoutState, Engine, Loss, Trainer};

use dapple_base::{Ranks, StopFlag, share};
use dapple_model::{EvaluationSet, spread};

use self::part::{Part, check_ranks};
use super::checkpoint::Checkpoint;
use super::files::TrainingFiles;
use super::network::TrainingNetwork;
use super::observer::{Event, Observer};
use super::outcome::Outcome;
use super::pace::Pace;
use super::position::Position;
use super::rates;
use super::record::{EpochRecord, latest_progress, read_records, write_tables};
use super::recorder::Recorder;
use super::setup::{Beginning, Setup};
use super::unlabelled::Unlabelled;
use crate::config::small_images::SmallImages;
use crate::error::TrainError;

/// A training in progress.
pub(crate) struct Session<'a> {
    setup: Setup,
    files: TrainingFiles,
    executor: Box<dyn Trainer>,
    observer: &'a mut dyn Observer,
    recorder: &'a mut dyn Recorder,
    stop: &'a StopFlag,
    loss: Loss,
    loader: Loader,
    /// The loader of the epochs with small images.
    small_loader: Option<Loader>,
    unlabelled: Option<Unlabelled>,
    /// The validation images of this rank.
    val: Option<EvaluationSet>,
    /// The training images that it scores.
    scored_train: Option<EvaluationSet>,
    /// Validation and training images that are scored by all ranks together.
    scored: [usize; 2],
    position: Position,
    records: Vec<EpochRecord>,
    last_save: Instant,
    /// Steps of the checkpoint that the training went on from.
    resumed_at: Option<u64>,
    /// The processes that train together, this one among them.
    ranks: Arc<dyn Ranks>,
    /// Images of a whole batch, and how this rank learns its part of them.
    batch: usize,
    part: Part,
    /// When this process began to train, and the seconds of the time span used before.
    began: Instant,
    used_before: f64,
}

/// How the batches of an epoch ended.
#[derive(PartialEq, Eq)]
enum Batches {
    Done,
    /// The stop flag was raised.
    Stopped,
}

/// The watchers of a training, and the flag that ends it.
pub(crate) struct Watchers<'a> {
    pub observer: &'a mut dyn Observer,
    pub recorder: &'a mut dyn Recorder,
    pub stop: &'a StopFlag,
    /// The processes that train together.
    pub ranks: Arc<dyn Ranks>,
}

impl<'a> Session<'a> {
    /// Loads the network with its first state, or with that of a checkpoint.
    pub fn begin(
        setup: Setup,
        files: TrainingFiles,
        beginning: Beginning,
        engine: &dyn Engine,
        watchers: Watchers<'a>,
    ) -> Result<Self, TrainError> {
        let Watchers { observer, recorder, stop, ranks } = watchers;
        let (rank, size) = (ranks.rank(), ranks.size());
        let Setup { config, parts, dataset, .. } = &setup;
        let input = config.input;
        let load =
            |state| engine.load_trainer(Arc::new(TrainingNetwork::of(config)), state, config.optimizer);
        let is_new = matches!(beginning, Beginning::New(..));
        let (mut executor, mut position, records) = match beginning {
            Beginning::New(state, note) => {
                if let Some(note) = note {
                    observer.notice(&Event::Note(&note));
                }
                (load(&state)?, Position::default(), Vec::new())
            }
            Beginning::Checkpoint(checkpoint, notes) => {
                notes.iter().for_each(|note| observer.notice(&Event::Note(note)));
                let Checkpoint { position, state, average, optimizer } = *checkpoint;
                let mut executor = load(&state)?;
                executor.set_optimizer_state(&optimizer)?;
                if let Some(average) = &average {
                    executor.set_average(average)?;
                }
                let mut records = read_records(&files.metrics())?;
                records.retain(|record| record.epoch <= position.epochs_done);
                if ranks.is_first() {
                    write_tables(files.folder(), &records)?;
                }
                (executor, position, records)
            }
        };
        let resumed_at = (!is_new).then_some(position.steps);
        if config.time_budget.is_some() && position.pace.is_none() {
            position.pace = Some(Pace::default());
        }

        executor.set_dropout_state(DropoutState { seed: config.seed, passes: position.passes });

        let cache = |shares| config.data.cache.settings(config.data.cache_mib, shares);
        // Images without labels have half of the training images' part.
        let shares = if setup.unlabelled.is_some() { 4 } else { 2 };
        let batch = config.batch.min(parts.train.len());
        check_ranks(&setup, size, batch)?;
        let loader = Loader::new(
            Arc::clone(dataset),
            parts.train.clone(),
            LoaderSettings {
                augment: config.augment,
                shuffle: true,
                drop_last: true,
                seed: config.seed,
                threads: config.data.threads,
                cache: cache(shares),
                ..LoaderSettings::new(input, batch)
            },
        )?
        .share(rank, size)?;
        let resized = |small: SmallImages| {
            let small = small.input(input);
            loader.resized(small.height, small.width)
        };
        let small_loader = config.small_images.map(resized).transpose()?;
        let unlabelled =
            setup.unlabelled.as_ref().map(|images| Unlabelled::new(config, images)).transpose()?;
        let set = |samples: &[usize]| match &samples[share(samples.len(), rank, size)] {
            [] => Ok(None),
            own => EvaluationSet::new(dataset, own, input, config.data.threads, cache(4)).map(Some),
        };
        let count = config.evaluation.train_images.unwrap_or(parts.val.len());
        let train_samples = spread(&parts.train, count);
        let [val, scored_train] = [set(&parts.val)?, set(&train_samples)?];
        let scored = [parts.val.len(), train_samples.len()];

        let mut session = Self {
            loss: config.loss.resolve(
                config.network.check()?,
                dataset.ignore(),
                &dataset.class_statistics(&parts.train),
            ),
            used_before: position.pace.as_ref().map_or(0.0, |pace| pace.used),
            files,
            executor,
            observer,
            recorder,
            stop,
            loader,
            small_loader,
            unlabelled,
            val,
            scored_train,
            scored,
            position,
            records,
            last_save: Instant::now(),
            resumed_at,
            ranks,
            batch,
            part: Part::Whole,
            began: Instant::now(),
            setup,
        };
        session.join()?;
        if let (Some(images), Some(unlabelled)) =
            (&session.setup.unlabelled, &session.setup.config.unlabelled)
        {
            let text = format!(
                "{} images without labels of {}, beside the training images",
                images.len(),
                unlabelled.dir.display()
            );
            session.observer.notice(&Event::Note(&text));
        }
        let epochs = session.epochs();
        let Setup { config, parts, .. } = &session.setup;
        session.observer.notice(&Event::Started {
            network: &config.network.name,
            parameters: session.setup.graph.trainable_len(),
            device: &engine.device(),
            train_images: parts.train.len(),
            val_images: parts.val.len(),
            size: (input.height, input.width),
            epochs_done: session.position.epochs_done,
            batches_done: session.position.batches_done,
            epochs,
        });
        if is_new {
            // There is always a last good state, and a folder that cannot be written to is found at once.
            session.write_checkpoint()?;
        }
        Ok(session)
    }

    /// Trains to the end, or until the stop flag is raised.
    pub fn finish(mut self) -> Result<Outcome, TrainError> {
        while !self.is_done() {
            let before = Duration::from_secs_f64(self.position.seconds);
            let clock = Clock { before, started: Instant::now() };
            let factors = rates::rate_factors(
                &self.setup.config,
                self.setup.graph.params(),
                self.position.epochs_done,
            )?;
            self.executor.set_rate_factors(&factors)?;
            if self.train_epoch(&clock)? == Batches::Stopped || self.end_epoch(&clock)?.is_break() {
                self.save(&clock)?;
                let Position { epochs_done, batches_done, .. } = self.position;
                return Ok(Outcome::Interrupted { epochs_done, batches_done });
            }
        }
        if self.ranks.is_first() {
            let best = self.restore_best()?;
            self.recorder.finished(best.as_ref(), &self.records, self.executor.as_mut())?;
        }
        // The others wait here, where they leave their cores to the first one.
        self.ranks.barrier()?;
        Ok(Outcome::Finished { records: self.records })
    }

    /// Whether all epochs, or all of the time, are done, or patience is at its end.
    fn is_done(&mut self) -> bool {
        let config = &self.setup.config;
        let done = match &self.position.pace {
            Some(pace) => pace.is_done() && self.position.batches_done == 0,
            None => self.position.epochs_done >= config.epochs,
        };
        let stale = latest_progress(&self.records).map_or(0, |latest| self.position.epochs_done - latest);
        match config.patience {
            Some(patience) if !done && stale >= patience && is_scored(self.records.last()) => {
                let latest = self.position.epochs_done - stale;
                let text = format!("stopped early: no progress in {patience} epochs since epoch {latest}");
                self.observer.notice(&Event::Note(&text));
                true
            }
            _ => done,
        }
    }

    /// Trains on the remaining batches of an epoch, or on as many as the time allows.
    fn train_epoch(&mut self, clock: &Clock) -> Result<Batches, TrainError> {
        let batches = self.loader.batches_per_epoch();
        if self.position.batches_done == 0 {
            self.choose_size();
        }
        let loader = self.small_loader.as_ref().filter(|_| self.position.small).unwrap_or(&self.loader);
        let mut loading = loader.epoch_from(self.position.epochs_done as u64, self.position.batches_done);
        let time_is_over = |position: &Position| position.pace.as_ref().is_some_and(Pace::is_done);
        while self.position.batches_done < batches && !time_is_over(&self.position) {
            let started = Instant::now();
            // Batches whose gradients make one step; fewer at the end of the epoch.
            let size = self.setup.config.accumulate.min(batches - self.position.batches_done);
            let mut group = Vec::with_capacity(size);
            for _ in 0..size {
                let asked = Instant::now();
                let Some(batch) = loading.next() else { break };
                self.position.wait_seconds += asked.elapsed().as_secs_f64();
                if self.is_stopped()? {
                    return Ok(Batches::Stopped);
                }
                group.push(batch?);
            }
            if group.is_empty() {
                break; // The loader ended early; it gives its error as a batch.
            }
            let images = self.batch * group.len();
            self.learn(group)?;
            self.keep_pace(started.elapsed().as_secs_f64())?;
            let epochs = self.epochs();
            self.observer.notice(&Event::Batch {
                epoch: self.position.epochs_done + 1,
                epochs,
                batch: self.position.batches_done,
                batches,
                images,
                loss: self.position.loss_sum / self.position.batches_done as f64,
            });
            if self.position.batches_done < batches && self.save_is_due()? {
                self.save(clock)?;
            }
        }
        Ok(Batches::Done)
    }

    /// Whether the epoch that begins shows small images.
    fn choose_size(&mut self) {
        let Some(settings) = self.setup.config.small_images else { return };
        let small = self.share_done() < settings.share;
        if small != self.position.small {
            let input = self.setup.config.input;
            let input = if small { settings.input(input) } else { input };
            let text = format!(
                "epoch {}: images of {} x {} from here on",
                self.position.epochs_done + 1,
                input.height,
                input.width
            );
            self.observer.notice(&Event::Note(&text));
        }
        self.position.small = small;
    }

    /// Whether the state is to be saved within the epoch, by the clock of rank 0.
    fn save_is_due(&self) -> Result<bool, TrainError> {
        let settings = self.setup.config.checkpoint;
        let due = settings.batches.is_some_and(|n| n > 0 && self.position.batches_done.is_multiple_of(n))
            || self.last_save.elapsed().as_secs_f64() > 60.0 * settings.minutes;
        Ok(self.ranks.agreed(f64::from(due))? > 0.0)
    }

    /// Saves the state in the middle of an epoch.
    fn save(&mut self, clock: &Clock) -> Result<(), TrainError> {
        self.position.seconds = clock.seconds();
        self.write_checkpoint()
    }

    /// Overwrites the checkpoint, but never with NaN or infinite values.
    fn write_checkpoint(&mut self) -> Result<(), TrainError> {
        self.settle()?;
        let passes = self.executor.dropout_state().passes;
        let used = self.used_seconds();
        if let Some(pace) = &mut self.position.pace {
            pace.used = used;
        }
        let checkpoint = Checkpoint {
            position: Position { passes, ..self.position.clone() },
            state: self.executor.state(),
            average: self.executor.average(),
            optimizer: self.executor.optimizer_state(),
        };
        if let Some((place, value)) = checkpoint.find_unsound(&self.setup.graph) {
            return Err(self.not_finite("weights", f64::from(value), Vec::new(), Some(place)));
        }
        if self.ranks.is_first() {
            checkpoint.save(&self.files.last())?;
        }
        self.last_save = Instant::now();
        Ok(())
    }
}

/// Whether an epoch was scored; not every one is where `evaluation.every` is more than 1.
fn is_scored(record: Option<&EpochRecord>) -> bool {
    record.is_some_and(|record| record.selection_score().is_some())
}

/// The time an epoch has taken, over interruptions.
struct Clock {
    before: Duration,
    started: Instant,
}

impl Clock {
    fn seconds(&self) -> f64 {
        (self.before + self.started.elapsed()).as_secs_f64()
    }
}
