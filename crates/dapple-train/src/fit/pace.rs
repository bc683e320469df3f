//! Training for a span of time: how many steps fit into the rest of it.
//!
//! The schedule is a function of the share done, 0 to 1. Each step adds to that share so that it is 1 when the time is
//! over. How much a step adds is decided after the first few steps, at the end of each epoch, and after each twentieth of
//! the schedule, from the times measured so far. The decision is part of the checkpoint:
//! from a checkpoint on, a resumed training takes the same steps with the same rates until the next decision, which
//! depends on the clock. Only differences of a monotonic clock count, so that setting the clock changes nothing; time
//! in which the program does not run is not used.

use serde::{Deserialize, Serialize};

/// Share of the schedule between decisions.
const LEG: f64 = 0.05;
/// Steps after which the first decision is taken. The very first one, in which the network is planned, is not measured.
const FIRST: u64 = 4;
/// Part of the time that is kept for the pictures at the end.
const RESERVE: f64 = 0.02;
/// Weight of the latest step in the mean time of a step.
const RECENT: f64 = 0.1;

/// How far a training for a span of time has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Share of the schedule that is done, 0 to 1.
    pub share: f64,
    /// Share that was done before the latest step, at which that step's learning rate was taken.
    #[serde(default)]
    pub before: f64,
    /// Share that a step adds; 0 before the first steps were measured.
    pub per_step: f64,
    /// The share at the latest decision.
    pub decided_at: f64,
    /// Seconds of the span that are used.
    pub used: f64,
    /// Mean seconds of a step, waiting for its images included; 0 before one was measured.
    pub step: f64,
    /// Seconds between the last step of an epoch and the first of the next: scores, pictures, checkpoint.
    pub pause: f64,
}

/// The basis of a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    /// Seconds of the whole span.
    pub span: f64,
    /// Remaining steps of the epoch.
    pub steps_left: u64,
    /// Steps of an epoch.
    pub steps: u64,
}

impl Pace {
    /// Records a step, after which `used` seconds are used, `seconds` of them by it; whether a decision is due.
    pub(crate) fn stepped(&mut self, steps: u64, used: f64, seconds: f64) -> bool {
        self.used = used;
        if steps > 1 {
            self.step = if self.step == 0.0 { seconds } else { self.step + RECENT * (seconds - self.step) };
        }
        self.before = self.share;
        self.share = (self.share + self.per_step).min(1.0);
        if self.per_step == 0.0 { steps >= FIRST } else { self.share - self.decided_at >= LEG }
    }

    /// Decides the share that each step adds from now on.
    pub(crate) fn decide(&mut self, ahead: &Ahead) {
        let steps = self.steps_that_fit(ahead).max(1);
        self.per_step = (1.0 - self.share) / steps as f64;
        self.decided_at = self.share;
    }

    /// Whether the schedule is at its end.
    pub(crate) fn is_done(&self) -> bool {
        self.share >= 1.0 - 1e-9
    }

    /// Steps to the end as decided; `None` before the first decision.
    pub(crate) fn steps_to_go(&self) -> Option<u64> {
        (self.per_step > 0.0).then(|| ((1.0 - self.share) / self.per_step).round() as u64)
    }

    /// Steps that fit into the time left, given that each epoch, and the last part of one, ends with a pause.
    fn steps_that_fit(&self, ahead: &Ahead) -> u64 {
        let step = self.step.max(1e-6);
        let left = ahead.span * (1.0 - RESERVE) - self.used;
        let in_part = |seconds: f64| ((seconds - self.pause) / step).max(0.0) as u64;
        let rest = left - ahead.steps_left as f64 * step - self.pause;
        if rest <= 0.0 {
            return in_part(left).min(ahead.steps_left);
        }
        let epoch = ahead.steps.max(1) as f64 * step + self.pause;
        let epochs = (rest / epoch) as u64;
        ahead.steps_left + epochs * ahead.steps + in_part(rest - epochs as f64 * epoch).min(ahead.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trains with steps and pauses of given seconds, which may depend on the step; returns steps and seconds used.
    fn simulate(span: f64, steps: u64, seconds: impl Fn(u64) -> f64, pause: f64) -> (u64, f64) {
        let mut pace = Pace::default();
        let (mut done, mut in_epoch, mut used) = (0, 0, 0.0);
        while !pace.is_done() {
            used += seconds(done);
            done += 1;
            in_epoch += 1;
            let due = pace.stepped(done, used, seconds(done - 1));
            let ends = in_epoch == steps;
            if ends {
                used += pause;
                (pace.used, pace.pause, in_epoch) = (used, pause, 0);
            }
            if due || ends {
                pace.decide(&Ahead { span, steps_left: steps - in_epoch, steps });
            }
            assert!(done < 1_000_000, "it never ends");
        }
        (done, used)
    }

    #[test]
    fn it_ends_on_time_whatever_the_machine_does() {
        // Steady; slower half way; a long pause; a span shorter than an epoch; one step longer than the span.
        type Case<'a> = (f64, u64, &'a dyn Fn(u64) -> f64, f64);
        let cases: [Case<'_>; 4] = [
            (600.0, 50, &|_| 0.5, 5.0),
            (600.0, 50, &|step| if step < 500 { 0.5 } else { 1.5 }, 5.0),
            (600.0, 10, &|_| 0.2, 20.0),
            (100.0, 5000, &|_| 0.5, 0.0),
        ];
        for (span, steps, seconds, pause) in cases {
            let (done, used) = simulate(span, steps, seconds, pause);
            assert!((0.85 * span..=1.03 * span).contains(&used), "{done} steps, {used} of {span} seconds");
        }
        let (done, _) = simulate(1.0, 10, |_| 30.0, 1.0);
        assert!(done <= FIRST + 1, "{done} steps");
    }

    #[test]
    fn the_schedule_ends_at_one_and_never_runs_backwards() {
        let mut pace = Pace { step: 1.0, ..Pace::default() };
        pace.decide(&Ahead { span: 100.0, steps_left: 10, steps: 10 });
        assert_eq!(pace.steps_to_go(), Some(98));
        let mut before = 0.0;
        for step in 1..=98 {
            pace.stepped(step, step as f64, 1.0);
            assert!(pace.share > before);
            before = pace.share;
        }
        assert!(pace.is_done() && pace.share <= 1.0);
    }

    #[test]
    fn a_decision_does_not_change_where_the_latest_step_was_taken() {
        let mut pace = Pace { step: 1.0, share: 0.5, per_step: 0.01, decided_at: 0.45, ..Pace::default() };
        // The time is over: the next step is the last.
        assert!(pace.stepped(51, 200.0, 1.0));
        pace.decide(&Ahead { span: 100.0, steps_left: 0, steps: 10 });
        assert!((pace.before, pace.steps_to_go()) == (0.5, Some(1)), "{pace:?}");
    }
}
