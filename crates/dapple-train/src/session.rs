//! The loop: batches, validation, checkpoints.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dapple_data::{Batch, Loader, LoaderSettings, Part, write_atomic};
use dapple_graph::{DropoutState, Engine, Executor, Loss, Shape, Tensor};
use dapple_metrics::Scores;

use crate::checkpoint::{Checkpoint, Position};
use crate::diary::{ClassRow, Diary};
use crate::evaluate::{Evaluation, EvaluationSet, evaluate, spread};
use crate::examine::Subject;
use crate::page::{self, RunData};
use crate::pictures::{Painter, draw_curves};
use crate::record::{best_epoch, read_records, write_tables};
use crate::training::{Beginning, Setup};
use crate::{EpochRecord, Event, Observer, Outcome, StopFlag, TrainError, model};

/// A training in progress.
pub(crate) struct Session<'a> {
    setup: Setup,
    executor: Box<dyn Executor>,
    observer: &'a mut dyn Observer,
    stop: &'a StopFlag,
    loss: Loss,
    loader: Loader,
    /// The validation images.
    val: Option<EvaluationSet>,
    /// The training images that are scored.
    scored_train: Option<EvaluationSet>,
    /// The validation images that are drawn.
    drawn: Vec<usize>,
    painter: Painter,
    diary: Diary,
    position: Position,
    records: Vec<EpochRecord>,
    last_save: Instant,
}

impl<'a> Session<'a> {
    /// Loads the network with its first state, or with the one it was left in.
    pub fn begin(
        setup: Setup,
        beginning: Beginning,
        engine: &dyn Engine,
        observer: &'a mut dyn Observer,
        stop: &'a StopFlag,
    ) -> Result<Self, TrainError> {
        let Setup { config, parts, dataset, run, graph } = &setup;
        let input = config.input;
        let load = |state| engine.load(Arc::new(config.network.clone()), state, Some(config.optimizer));
        let (mut executor, position, records) = match beginning {
            Beginning::New(state, note) => {
                if let Some(note) = note {
                    observer.notice(&Event::Note(&note));
                }
                (load(&state)?, Position::default(), Vec::new())
            }
            Beginning::Checkpoint(Checkpoint { position, state, optimizer }) => {
                let mut executor = load(&state)?;
                executor.set_optimizer_state(&optimizer)?;
                let mut records = read_records(&run.metrics())?;
                records.retain(|record| record.epoch <= position.epochs_done);
                write_tables(run.path(), &records)?;
                (executor, position, records)
            }
        };

        executor.set_dropout_state(DropoutState { seed: config.seed, passes: position.passes });

        let cache = |share| config.data.cache.settings(config.data.cache_mib, share);
        let loader = Loader::new(
            Arc::clone(dataset),
            parts.train.clone(),
            LoaderSettings {
                augment: config.augment,
                shuffle: true,
                drop_last: true,
                seed: config.seed,
                threads: config.data.threads,
                cache: cache(2),
                ..LoaderSettings::new(input, config.batch.min(parts.train.len()))
            },
        )?;
        let set = |samples: &[usize]| match samples {
            [] => Ok(None),
            samples => EvaluationSet::new(dataset, samples, input, config.data.threads, cache(4)).map(Some),
        };
        let val = set(&parts.val)?;
        let count = config.evaluation.train_images.unwrap_or(parts.val.len());
        let scored_train = set(&spread(&parts.train, count))?;

        observer.notice(&Event::Started {
            network: &config.network.name,
            parameters: graph.trainable_len(),
            device: &engine.device(),
            train_images: parts.train.len(),
            val_images: parts.val.len(),
            size: (input.height, input.width),
            epochs_done: position.epochs_done,
            batches_done: position.batches_done,
            epochs: config.epochs,
        });
        Ok(Self {
            loss: config.loss.resolve(dataset.ignore(), &dataset.class_statistics(&parts.train)),
            drawn: spread(&parts.val, config.evaluation.pictures),
            painter: Painter::new(dataset, input)?,
            diary: Diary::begin(run, position.epochs_done)?,
            setup,
            executor,
            observer,
            stop,
            loader,
            val,
            scored_train,
            position,
            records,
            last_save: Instant::now(),
        })
    }

    /// Trains to the end, or until the stop flag is raised.
    pub fn finish(mut self) -> Result<Outcome, TrainError> {
        while self.position.epochs_done < self.setup.config.epochs {
            let before = Duration::from_secs_f64(self.position.seconds);
            let clock = Clock { before, started: Instant::now() };
            if self.train_epoch(&clock)?.is_break() || self.end_epoch(&clock)?.is_break() {
                self.save(&clock)?;
                let Position { epochs_done, batches_done, .. } = self.position;
                return Ok(Outcome::Interrupted { epochs_done, batches_done });
            }
        }
        self.draw_best()?;
        let run = &self.setup.run;
        page::report(&[RunData::read(run.path())?]).save(&run.report())?;
        Ok(Outcome::Finished { records: self.records })
    }

    /// The batches of an epoch that are left.
    fn train_epoch(&mut self, clock: &Clock) -> Result<ControlFlow<()>, TrainError> {
        let (epoch, batches) = (self.position.epochs_done, self.loader.batches_per_epoch());
        let mut loading = self.loader.epoch_from(epoch as u64, self.position.batches_done);
        loop {
            let asked = Instant::now();
            let Some(batch) = loading.next() else { return Ok(ControlFlow::Continue(())) };
            self.position.wait_seconds += asked.elapsed().as_secs_f64();
            if self.stop.is_raised() {
                return Ok(ControlFlow::Break(()));
            }
            let batch = batch?;
            let images = batch.n;
            self.learn(batch)?;
            self.observer.notice(&Event::Batch {
                epoch: epoch + 1,
                epochs: self.setup.config.epochs,
                batch: self.position.batches_done,
                batches,
                images,
                loss: self.position.loss_sum / self.position.batches_done as f64,
            });
            if self.position.batches_done < batches && self.save_is_due() {
                self.save(clock)?;
            }
        }
    }

    /// One step of the optimiser.
    fn learn(&mut self, batch: Batch) -> Result<(), TrainError> {
        let not_finite = |what, value, position: &Position| {
            let name = |&sample: &usize| self.setup.dataset.name(sample).to_owned();
            Err(TrainError::NotFinite {
                what,
                value,
                epoch: position.epochs_done + 1,
                batch: position.batches_done + 1,
                names: batch.indices.iter().map(name).collect(),
            })
        };
        let images = Tensor::new(Shape::new(batch.n, batch.h, batch.w, batch.c), batch.images);
        let loss = self.executor.accumulate(&images, &batch.labels, &self.loss, 1.0)?;
        if !loss.is_finite() {
            return not_finite("loss", loss, &self.position);
        }
        let clip = self.setup.config.clip_norm;
        let norm = f64::from(self.executor.step(self.learning_rate(self.position.steps) as f32, clip)?);
        if !norm.is_finite() {
            return not_finite("gradient", norm, &self.position);
        }
        self.position.steps += 1;
        self.position.batches_done += 1;
        self.position.loss_sum += loss;
        self.position.gradient_norm_sum += norm;
        Ok(())
    }

    fn learning_rate(&self, step: u64) -> f64 {
        let config = &self.setup.config;
        let steps = (config.epochs * self.loader.batches_per_epoch()) as u64;
        config.learning_rate * config.schedule.factor(step, steps)
    }

    /// Measures, writes the epoch's row, and saves; the best model is saved before the checkpoint that counts it.
    fn end_epoch(&mut self, clock: &Clock) -> Result<ControlFlow<()>, TrainError> {
        let batches = self.loader.batches_per_epoch() as f64;
        let mut record = EpochRecord {
            epoch: self.position.epochs_done + 1,
            train_loss: self.position.loss_sum / batches,
            gradient_norm: self.position.gradient_norm_sum / batches,
            learning_rate: self.learning_rate(self.position.steps.saturating_sub(1)),
            wait_seconds: self.position.wait_seconds,
            ..EpochRecord::default()
        };
        let Some((val, train)) = self.measure(record.epoch)? else { return Ok(ControlFlow::Break(())) };
        if let Some(val) = &val {
            record.set_validation(val.loss, &val.scores);
        }
        if let Some(train) = &train {
            record.set_training(&train.scores);
        }
        let best_before = best_epoch(&self.records).and_then(EpochRecord::selection_score);
        let best = match record.selection_score() {
            Some(score) => best_before.is_none_or(|before| score > before),
            // Nothing was scored: the latest model is the one to keep.
            None => best_before.is_none(),
        };
        let row = val.as_ref().map(|val| ClassRow::of(record.epoch, &val.scores));
        let panels = match &val {
            Some(val) if Diary::wants_pictures(record.epoch, self.setup.config.epochs) => self
                .painter
                .draw_current(&self.setup.run, self.executor.as_mut(), &self.drawn, &val.scores)?,
            _ => Vec::new(),
        };
        if best {
            self.save_best(&record, val.map(|val| val.scores))?;
        }
        record.seconds = clock.seconds();
        self.diary.write(&self.setup.run, &record, row, &panels)?;
        self.records.push(record);
        write_tables(self.setup.run.path(), &self.records)?;
        draw_curves(&self.setup.run, &self.title(), &self.records)?;
        self.position = Position {
            epochs_done: self.position.epochs_done + 1,
            steps: self.position.steps,
            ..Position::default()
        };
        self.write_checkpoint()?;
        if let Some(record) = self.records.last() {
            self.observer.notice(&Event::Epoch { record, epochs: self.setup.config.epochs, best });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Scores the validation images and the chosen training images; `None` if asked to stop meanwhile.
    #[allow(clippy::type_complexity, reason = "two optional evaluations, or none at all")]
    fn measure(
        &mut self,
        epoch: usize,
    ) -> Result<Option<(Option<Evaluation>, Option<Evaluation>)>, TrainError> {
        let count = |set: &Option<EvaluationSet>| set.as_ref().map_or(0, EvaluationSet::len);
        let images = count(&self.val) + count(&self.scored_train);
        let mut before = 0;
        let mut measured = [None, None];
        for (set, measured) in [&self.val, &self.scored_train].into_iter().zip(&mut measured) {
            let Some(set) = set else { continue };
            let mut on_image = |done| {
                self.observer.notice(&Event::Scored { epoch, done: before + done, images });
                if self.stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            match evaluate(self.executor.as_mut(), set, &self.loss, &mut on_image)? {
                Some(evaluation) => *measured = Some(evaluation),
                None => return Ok(None),
            }
            before += set.len();
        }
        let [val, train] = measured;
        Ok(Some((val, train)))
    }

    /// Saves the model as it is, and draws what it predicts.
    fn save_best(&mut self, record: &EpochRecord, scores: Option<Scores>) -> Result<(), TrainError> {
        let Setup { config, run, dataset, .. } = &self.setup;
        model::save(
            &run.best(),
            config,
            dataset,
            &self.loss,
            self.executor.state(),
            record,
            scores.as_ref(),
        )?;
        if let Some(scores) = scores {
            let json = serde_json::to_vec_pretty(&scores).expect("scores are numbers and names");
            write_atomic(run.best_scores(), &json)?;
            self.painter.draw_samples(run, self.executor.as_mut(), &self.drawn, &scores)?;
        }
        Ok(())
    }

    /// Draws the best, median and worst validation images as the best model sees them.
    fn draw_best(&mut self) -> Result<(), TrainError> {
        let run = &self.setup.run;
        let Ok(scores) = std::fs::read(run.best_scores()) else {
            return Ok(()); // Without validation images there are no scores.
        };
        let scores: Scores = serde_json::from_slice(&scores).map_err(|e| TrainError::BadRunFile {
            path: run.best_scores(),
            problem: format!("not the scores of a run: {e}; remove it to go on without these pictures"),
        })?;
        self.executor.set_state(&model::load_model(&run.best())?.state)?;
        let path = run.samples()?.join("best-median-worst.png");
        let val = &self.setup.parts.val;
        self.painter.draw_extremes(&path, self.executor.as_mut(), val, &scores)?;
        self.painter.draw_samples(run, self.executor.as_mut(), &self.drawn, &scores)?;
        self.examine(&scores)
    }

    /// Gathers what a report shows of the best model, which the network holds.
    fn examine(&mut self, scores: &Scores) -> Result<(), TrainError> {
        let Setup { config, parts, dataset, run, .. } = &self.setup;
        let parts = [
            (Part::Train, parts.train.clone()),
            (Part::Val, parts.val.clone()),
            (Part::Test, parts.test.clone()),
        ];
        let folder = &config.data.dir;
        let subject = Subject { dataset, folder, input: config.input, parts: &parts, scores };
        let epoch = best_epoch(&self.records).map_or(0, |record| record.epoch);
        subject.examine(run, self.executor.as_mut(), epoch, config.network.activation).map(|_| ())
    }

    fn title(&self) -> String {
        let config = &self.setup.config;
        let data = config.data.dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let network = config.network.entry().map_or(config.network.name.as_str(), |entry| &entry.title);
        format!("{network} on {}", data.unwrap_or_else(|| "data".into()))
    }

    fn save_is_due(&self) -> bool {
        let settings = self.setup.config.checkpoint;
        settings.batches.is_some_and(|n| n > 0 && self.position.batches_done.is_multiple_of(n))
            || self.last_save.elapsed().as_secs_f64() > 60.0 * settings.minutes
    }

    /// Saves the state in the middle of an epoch.
    fn save(&mut self, clock: &Clock) -> Result<(), TrainError> {
        self.position.seconds = clock.seconds();
        self.write_checkpoint()
    }

    fn write_checkpoint(&mut self) -> Result<(), TrainError> {
        let passes = self.executor.dropout_state().passes;
        let checkpoint = Checkpoint {
            position: Position { passes, ..self.position.clone() },
            state: self.executor.state(),
            optimizer: self.executor.optimizer_state(),
        };
        checkpoint.save(&self.setup.run.last())?;
        self.last_save = Instant::now();
        Ok(())
    }
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
