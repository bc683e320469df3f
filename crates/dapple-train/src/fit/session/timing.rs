//! How far a training has come, the learning rate there, and the steps that the time allows.

use super::Session;
use crate::error::TrainError;
use crate::fit::observer::Event;
use crate::fit::pace::Ahead;

/// Steps of the schedule where it follows the clock.
const CLOCK_STEPS: u64 = 1_000_000;

impl Session<'_> {
    /// The share of the training that is done.
    pub(super) fn share_done(&self) -> f64 {
        match &self.position.pace {
            Some(pace) => pace.share,
            None => {
                let steps = self.setup.config.epochs as u64 * self.steps_per_epoch();
                self.position.steps as f64 / steps.max(1) as f64
            }
        }
    }

    /// Steps of the optimizer in an epoch.
    fn steps_per_epoch(&self) -> u64 {
        self.loader.batches_per_epoch().div_ceil(self.setup.config.accumulate) as u64
    }

    /// Epochs in all, as far as they are known.
    pub(super) fn epochs(&self) -> usize {
        let Some(pace) = &self.position.pace else { return self.setup.config.epochs };
        let in_epoch = self.position.batches_done.div_ceil(self.setup.config.accumulate) as u64;
        let steps = in_epoch + pace.steps_to_go().unwrap_or(0);
        self.position.epochs_done + (steps.div_ceil(self.steps_per_epoch().max(1)) as usize).max(1)
    }

    /// The learning rate of a step, counted from 0 or, by the clock, at a share of the schedule.
    fn learning_rate(&self, step: u64, share: f64) -> f64 {
        let config = &self.setup.config;
        let factor = match self.position.pace {
            Some(_) => config.schedule.factor((share * CLOCK_STEPS as f64) as u64, CLOCK_STEPS),
            None => config.schedule.factor(step, config.epochs as u64 * self.steps_per_epoch()),
        };
        config.learning_rate * factor
    }

    /// The learning rate of the next step.
    pub(super) fn next_rate(&self) -> f64 {
        self.learning_rate(self.position.steps, self.position.pace.as_ref().map_or(0.0, |pace| pace.share))
    }

    /// The learning rate of the step before.
    pub(super) fn last_rate(&self) -> f64 {
        let share = self.position.pace.as_ref().map_or(0.0, |pace| pace.before);
        self.learning_rate(self.position.steps.saturating_sub(1), share)
    }

    pub(super) fn used_seconds(&self) -> f64 {
        self.used_before + self.began.elapsed().as_secs_f64()
    }

    /// Records the time of a step and, where it is due, decides how many steps follow.
    pub(super) fn keep_pace(&mut self, seconds: f64) -> Result<(), TrainError> {
        if self.position.pace.is_none() {
            return Ok(());
        }
        // The clock of rank 0 decides for all.
        let (used, steps) = (self.ranks.agreed(self.used_seconds())?, self.position.steps);
        let seconds = self.ranks.agreed(seconds)?;
        let Some(pace) = &mut self.position.pace else { return Ok(()) };
        if pace.stepped(steps, used, seconds) {
            if pace.pause == 0.0 {
                // Not measured yet: a pass forward takes about a third of a step for each batch of images.
                let images = self.scored.iter().sum::<usize>() as f64;
                let batch = self.setup.config.batch * self.setup.config.accumulate;
                pace.pause =
                    pace.step * images / (3.0 * batch as f64) / self.setup.config.evaluation.every as f64;
            }
            self.decide_pace();
        }
        Ok(())
    }

    pub(super) fn decide_pace(&mut self) {
        let steps = self.steps_per_epoch();
        let done = self.position.batches_done.div_ceil(self.setup.config.accumulate) as u64;
        let Some(span) = self.setup.config.time_budget else { return };
        let ahead =
            Ahead { span: span.duration().as_secs_f64(), steps_left: steps.saturating_sub(done), steps };
        if let Some(pace) = &mut self.position.pace {
            let first = pace.per_step == 0.0;
            pace.decide(&ahead);
            if first {
                let steps = self.position.steps + pace.steps_to_go().unwrap_or(0);
                let text = format!(
                    "{span} are enough for about {steps} steps of {:.2} s, {:.1} epochs",
                    pace.step,
                    steps as f64 / ahead.steps.max(1) as f64
                );
                self.observer.notice(&Event::Note(&text));
            }
        }
    }
}
