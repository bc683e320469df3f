//! The end of an epoch: scores, the best model, pictures, the row, the checkpoint.

use std::ops::ControlFlow;

use dapple_base::write_atomic;
use dapple_data::Part;
use dapple_metrics::Scores;

use super::{Clock, Session};
use crate::checkpoint::Position;
use crate::diary::{ClassRow, Diary};
use crate::evaluate::{Evaluation, EvaluationSet, evaluate};
use crate::examine::Subject;
use crate::model::{self, Weights};
use crate::pictures::draw_curves;
use crate::record::{best_epoch, write_tables};
use crate::training::Setup;
use crate::{EpochRecord, Event, TrainError};

/// What is measured after an epoch.
#[derive(Default)]
struct Measured {
    val: Option<Evaluation>,
    /// The validation images with the averaged weights.
    average: Option<Evaluation>,
    train: Option<Evaluation>,
}

impl Session<'_> {
    /// Measures, writes the epoch's row, and saves; the best model is saved before the checkpoint that counts it.
    pub(super) fn end_epoch(&mut self, clock: &Clock) -> Result<ControlFlow<()>, TrainError> {
        let began = self.used_seconds();
        let batches = self.position.batches_done.max(1);
        let steps = batches.div_ceil(self.setup.config.accumulate);
        let mut record = EpochRecord {
            epoch: self.position.epochs_done + 1,
            train_loss: self.position.loss_sum / batches as f64,
            gradient_norm: self.position.gradient_norm_sum / steps as f64,
            learning_rate: self.last_rate(),
            wait_seconds: self.position.wait_seconds,
            ..EpochRecord::default()
        };
        let is_measured = self.is_measured(record.epoch);
        let measured = if is_measured { self.measure(record.epoch)? } else { Some(Measured::default()) };
        let Some(Measured { val, average, train }) = measured else { return Ok(ControlFlow::Break(())) };
        if let Some(val) = &val {
            record.set_validation(val.loss, &val.scores);
        }
        if let Some(average) = &average {
            record.set_average(average.loss, &average.scores);
        }
        if let Some(train) = &train {
            record.set_training(&train.scores);
        }
        let best_before = best_epoch(&self.records).and_then(EpochRecord::selection_score);
        let best = match record.selection_score() {
            Some(score) => best_before.is_none_or(|before| score > before),
            // Nothing was scored: the latest model is the one to keep.
            None => is_measured && best_before.is_none(),
        };
        let row = val.as_ref().map(|val| ClassRow::of(record.epoch, &val.scores));
        let panels =
            match &val {
                Some(val) if Diary::wants_pictures(record.epoch, self.epochs()) => self
                    .painter
                    .draw_current(&self.setup.run, self.executor.as_mut(), &self.drawn, &val.scores)?,
                _ => Vec::new(),
            };
        if best {
            match record.better_weights() {
                Weights::Raw => self.save_best(&record, Weights::Raw, val)?,
                Weights::Average => {
                    self.executor.swap_ema();
                    let saved = self.save_best(&record, Weights::Average, average);
                    self.executor.swap_ema();
                    saved?;
                }
            }
        }
        record.seconds = clock.seconds();
        self.diary.write(&self.setup.run, &record, row, &panels)?;
        self.records.push(record);
        write_tables(self.setup.run.path(), &self.records)?;
        draw_curves(&self.setup.run, &self.title(), &self.records)?;
        let epochs_done = self.position.epochs_done + 1;
        let Position { steps, first_loss, small, .. } = self.position;
        let pace = self.position.pace.take();
        self.position = Position { epochs_done, steps, first_loss, small, pace, ..Position::default() };
        let used = self.used_seconds();
        if let Some(pace) = &mut self.position.pace {
            // Of an epoch in the mean, measured or not.
            pace.pause += (used - began - pace.pause) / self.setup.config.evaluation.every as f64;
            pace.used = used;
        }
        if self.position.pace.as_ref().is_some_and(|pace| !pace.is_done() && pace.step > 0.0) {
            self.decide_pace();
        }
        self.write_checkpoint()?;
        let epochs = self.epochs_after();
        if let Some(record) = self.records.last() {
            self.observer.notice(&Event::Epoch { record, epochs, best });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Epochs in all, seen from the end of one.
    fn epochs_after(&self) -> usize {
        match &self.position.pace {
            Some(pace) if pace.is_done() => self.position.epochs_done,
            _ => self.epochs(),
        }
    }

    /// Whether there are scores of an epoch whose batches are done.
    fn is_measured(&self, epoch: usize) -> bool {
        let config = &self.setup.config;
        let is_last = match &self.position.pace {
            Some(pace) => pace.is_done(),
            None => epoch >= config.epochs,
        };
        epoch == 1 || is_last || epoch.is_multiple_of(config.evaluation.every)
    }

    /// Scores the validation images and the chosen training images; `None` if asked to stop meanwhile.
    fn measure(&mut self, epoch: usize) -> Result<Option<Measured>, TrainError> {
        let averaged = self.setup.config.ema_decay.is_some() && self.position.steps > 0;
        let count = |set: &Option<EvaluationSet>| set.as_ref().map_or(0, EvaluationSet::len);
        let images = count(&self.val) * (1 + usize::from(averaged)) + count(&self.scored_train);
        let mut measured = Measured::default();
        let mut before = 0;
        let Measured { val, average, train } = &mut measured;
        for (set, measured, of_average) in
            [(&self.val, val, false), (&self.val, average, true), (&self.scored_train, train, false)]
        {
            let Some(set) = set else { continue };
            if of_average && !averaged {
                continue;
            }
            let mut on_image = |done| {
                self.observer.notice(&Event::Scored { epoch, done: before + done, images });
                if self.stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            if of_average {
                self.executor.swap_ema();
            }
            let evaluation = evaluate(self.executor.as_mut(), set, &self.loss, &mut on_image);
            if of_average {
                self.executor.swap_ema();
            }
            match evaluation? {
                Some(evaluation) => *measured = Some(evaluation),
                None => return Ok(None),
            }
            before += set.len();
        }
        Ok(Some(measured))
    }

    /// Saves the model as it is, and draws what it predicts.
    fn save_best(
        &mut self,
        record: &EpochRecord,
        weights: Weights,
        evaluation: Option<Evaluation>,
    ) -> Result<(), TrainError> {
        let Setup { config, run, dataset, .. } = &self.setup;
        let state = self.executor.state();
        model::save(&run.best(), config, dataset, &self.loss, (state, weights), record, evaluation.as_ref())?;
        if let Some(Evaluation { scores, .. }) = evaluation {
            let json = serde_json::to_vec_pretty(&scores).expect("scores are numbers and names");
            write_atomic(run.best_scores(), &json)?;
            self.painter.draw_samples(run, self.executor.as_mut(), &self.drawn, &scores)?;
        }
        Ok(())
    }

    /// Draws the best, median and worst validation images as the best model sees them.
    pub(super) fn draw_best(&mut self) -> Result<(), TrainError> {
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
}
