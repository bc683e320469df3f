//! The end of an epoch: scores, the best model, pictures, the row, the checkpoint.

use std::ops::ControlFlow;

use dapple_base::{json_fault, write_atomic};
use dapple_metrics::Scores;

use dapple_model::{Evaluation, EvaluationSet, Weights, evaluate_shared, load_model};

use super::{Clock, Session};
use crate::error::TrainError;
use crate::fit::model_file;
use crate::fit::observer::Event;
use crate::fit::position::Position;
use crate::fit::record::{EpochRecord, best_epoch, write_tables};
use crate::fit::unlabelled::Unlabelled;

/// The measurements after an epoch.
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
        let began = self.ranks.agreed(self.used_seconds())?;
        self.settle()?;
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
        record.set_standing();
        let best_before = best_epoch(&self.records).and_then(EpochRecord::standing);
        let best = match record.standing() {
            Some(standing) => best_before.is_none_or(|before| standing.beats(&before)),
            // Nothing was scored: the latest model is the one to keep.
            None => is_measured && best_before.is_none(),
        };
        if let Some(val) = &val {
            let epochs = self.epochs();
            self.recorder.scored(record.epoch, epochs, &val.scores, self.executor.as_mut())?;
        }
        if best && self.ranks.is_first() {
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
        self.records.push(record);
        if self.ranks.is_first() {
            write_tables(self.files.folder(), &self.records)?;
        }
        self.recorder.epoch_ended(&self.records)?;
        let epochs_done = self.position.epochs_done + 1;
        let Position { steps, first_loss, small, .. } = self.position;
        let pace = self.position.pace.take();
        self.position = Position { epochs_done, steps, first_loss, small, pace, ..Position::default() };
        let used = self.ranks.agreed(self.used_seconds())?;
        if let Some(pace) = &mut self.position.pace {
            // The mean over epochs, measured or not.
            pace.pause += (used - began - pace.pause) / self.setup.config.evaluation.every as f64;
            pace.used = used;
        }
        if self.position.pace.as_ref().is_some_and(|pace| !pace.is_done() && pace.step > 0.0) {
            self.decide_pace();
        }
        self.write_checkpoint()?;
        if let Some(text) = self.unlabelled.as_mut().and_then(Unlabelled::tell) {
            self.observer.notice(&Event::Note(&text));
        }
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

    /// Scores the validation images and the chosen training images; `None` if the stop flag was raised meanwhile.
    fn measure(&mut self, epoch: usize) -> Result<Option<Measured>, TrainError> {
        let averaged = self.setup.config.ema_decay.is_some() && self.position.steps > 0;
        let count = |set: &Option<EvaluationSet>| set.as_ref().map_or(0, EvaluationSet::len);
        let images = count(&self.val) * (1 + usize::from(averaged)) + count(&self.scored_train);
        let mut measured = Measured::default();
        let mut before = 0;
        let Measured { val, average, train } = &mut measured;
        let [of_val, of_train] = self.scored;
        for (set, scored, measured, of_average) in [
            (&self.val, of_val, val, false),
            (&self.val, of_val, average, true),
            (&self.scored_train, of_train, train, false),
        ] {
            if scored == 0 || (of_average && !averaged) {
                continue;
            }
            let mut on_image = |done| {
                self.observer.notice(&Event::Scored { epoch, done: before + done, images });
                if self.stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            if of_average {
                self.executor.swap_ema();
            }
            let (ranks, dataset) = (self.ranks.as_ref(), self.setup.dataset.as_ref());
            let executor = self.executor.as_mut();
            let evaluation =
                evaluate_shared(ranks, dataset, executor, set.as_ref(), &self.loss, &mut on_image);
            if of_average {
                self.executor.swap_ema();
            }
            match evaluation? {
                Some(evaluation) => *measured = Some(evaluation),
                None => return Ok(None),
            }
            before += count(set);
        }
        Ok(Some(measured))
    }

    /// Saves the network's weights as the best model.
    fn save_best(
        &mut self,
        record: &EpochRecord,
        weights: Weights,
        evaluation: Option<Evaluation>,
    ) -> Result<(), TrainError> {
        let state = self.executor.state();
        if let Some(unsound) = state.find_unsound(&self.setup.graph) {
            let place = format!("`{}`: {unsound}", unsound.parameter);
            return Err(self.not_finite("weights", f64::from(unsound.value), Vec::new(), Some(place)));
        }
        let model =
            model_file::Model { config: &self.setup.config, dataset: &self.setup.dataset, loss: &self.loss };
        model.save(&self.files.best(), (state, weights), record, evaluation.as_ref())?;
        if let Some(Evaluation { scores, .. }) = evaluation {
            let json = serde_json::to_vec_pretty(&scores).expect("scores are numbers and names");
            write_atomic(self.files.best_scores(), &json)?;
            self.recorder.improved(&scores, self.executor.as_mut())?;
        }
        Ok(())
    }

    /// Puts the weights of the best model into the network and gives its scores; `None`, and the network as it is, without
    /// a validation part.
    pub(super) fn restore_best(&mut self) -> Result<Option<Scores>, TrainError> {
        let path = self.files.best_scores();
        let Ok(scores) = std::fs::read(&path) else { return Ok(None) };
        let scores = serde_json::from_slice(&scores).map_err(|e| TrainError::BadRunFile {
            path,
            problem: format!(
                "not the scores of a run: {}; remove it to finish without pictures of the best model",
                json_fault(&e)
            ),
        })?;
        self.executor.set_state(&load_model(&self.files.best())?.state)?;
        Ok(Some(scores))
    }
}
