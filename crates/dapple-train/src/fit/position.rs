//! The position of a training, and the positions that are possible.

use serde::{Deserialize, Serialize};

use super::pace::Pace;
use crate::config::train_config::TrainConfig;

/// The way out of a checkpoint that cannot be used.
pub(super) const REMEDY: &str = "start a new run, with --init best.safetensors to keep what was learned";

/// Longest time in seconds that a training can have taken, some thirty years.
const LONGEST: f64 = 1e9;

/// How far a training has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Epochs finished, their rows written.
    pub epochs_done: usize,
    /// Batches done of the epoch after them.
    pub batches_done: usize,
    /// Steps of the optimizer.
    pub steps: u64,
    /// Forward passes in training, which dropout's random numbers depend on.
    #[serde(default)]
    pub passes: u64,
    /// Sum of the losses of the unfinished epoch's batches.
    pub loss_sum: f64,
    /// Sum of the gradient norms of the unfinished epoch's steps.
    pub gradient_norm_sum: f64,
    /// Part of `seconds` spent waiting for batches.
    #[serde(default)]
    pub wait_seconds: f64,
    /// Wall-clock time spent on the unfinished epoch, in seconds.
    pub seconds: f64,
    /// Loss of the first batch, with which later ones are compared to detect divergence.
    #[serde(default)]
    pub first_loss: Option<f64>,
    /// Whether the unfinished epoch, or the one before it where it has not begun, shows small images.
    #[serde(default)]
    pub small: bool,
    /// How far a training for a span of time has come.
    #[serde(default)]
    pub pace: Option<Pace>,
}

impl Position {
    /// The problem of a position that no training with these settings can have; `batches` are those of an epoch.
    pub(super) fn problem(&self, config: &TrainConfig, batches: usize) -> Option<String> {
        let sums = [("loss_sum", self.loss_sum), ("first_loss", self.first_loss.unwrap_or_default())];
        if let Some((key, value)) = sums.into_iter().find(|(_, value)| !value.is_finite()) {
            return Some(format!("`{key}` is {value}, which is not a number to go on with; {REMEDY}"));
        }
        let pace = self.pace.clone().unwrap_or_default();
        let spans = [
            ("gradient_norm_sum", self.gradient_norm_sum, f64::MAX),
            ("wait_seconds", self.wait_seconds, LONGEST),
            ("seconds", self.seconds, LONGEST),
            ("pace.share", pace.share, 1.0),
            ("pace.before", pace.before, 1.0),
            ("pace.per_step", pace.per_step, 1.0),
            ("pace.decided_at", pace.decided_at, 1.0),
            ("pace.used", pace.used, LONGEST),
            ("pace.step", pace.step, LONGEST),
            ("pace.pause", pace.pause, LONGEST),
        ];
        if let Some((key, value, most)) =
            spans.into_iter().find(|(_, value, most)| !(0.0..=*most).contains(value))
        {
            return Some(format!("`{key}` is {value}, but it must lie between 0 and {most:e}; {REMEDY}"));
        }
        let (done, epochs) = (self.epochs_done, config.epochs);
        if config.time_budget.is_none() && done > epochs {
            return Some(format!(
                "it counts {done} epochs, but `epochs` in config.toml is {epochs}; give `epochs` at least {done} there"
            ));
        }
        if self.batches_done > batches {
            return Some(format!(
                "it counts {} batches of an epoch that has {batches}; restore the batch and the split that it was written \
                 with",
                self.batches_done
            ));
        }
        ((done as u64) > self.steps)
            .then(|| format!("it counts {done} epochs but {} steps of the optimizer; {REMEDY}", self.steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_positions_are_named() {
        let config = TrainConfig {
            epochs: 3,
            ..TrainConfig::for_network("unet", 2, "data".as_ref()).expect("a network")
        };
        let right =
            Position { epochs_done: 2, batches_done: 5, steps: 15, seconds: 0.25, ..Position::default() };
        assert_eq!(right.problem(&config, 5), None);
        let pace = |share| Some(Pace { share, ..Pace::default() });
        let wrong = [
            ("`seconds` is -1", Position { seconds: -1.0, ..right.clone() }),
            ("`seconds` is 1", Position { seconds: 1e300, ..right.clone() }),
            ("`seconds` is NaN", Position { seconds: f64::NAN, ..right.clone() }),
            ("`wait_seconds`", Position { wait_seconds: -0.5, ..right.clone() }),
            ("`loss_sum`", Position { loss_sum: f64::INFINITY, ..right.clone() }),
            ("`first_loss`", Position { first_loss: Some(f64::NAN), ..right.clone() }),
            ("`pace.share`", Position { pace: pace(1.5), ..right.clone() }),
            ("900 epochs, but `epochs` in config.toml is 3", Position { epochs_done: 900, ..right.clone() }),
            ("6 batches of an epoch that has 5", Position { batches_done: 6, ..right.clone() }),
            ("2 epochs but 1 steps", Position { steps: 1, ..right.clone() }),
        ];
        for (words, position) in wrong {
            let problem = position.problem(&config, 5).unwrap_or_else(|| panic!("{words}: accepted"));
            assert!(problem.contains(words), "{problem}");
        }
    }
}
