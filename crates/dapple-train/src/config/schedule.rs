//! The learning-rate schedule.

use serde::{Deserialize, Serialize};

use super::kind::{Range, Word};
use super::setting::{Group, number, settings, word};

const NAMES: &[Word] = &[("constant", ""), ("poly", ""), ("cosine", "")];

settings! {
    pub(super) const SETTINGS("schedule.", Group::Schedule) {
        /// Name of the schedule.
        name = word(NAMES).example("\"poly\""),
        /// poly: the exponent of (1 - step / steps).
        power = number(Range::from(0.0)).default("0.9").example("1.0"),
        /// cosine: share of the steps in which the learning rate rises from 0 (warm-up).
        warm_up = number(Range::from(0.0).below(1.0)).example("0.1"),
        /// cosine: factor of the learning rate at the end.
        floor = number(Range::from(0.0).to(1.0)).example("0.0"),
    }
}

/// The schedule: a factor of the configured learning rate at each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The same at every step.
    Constant,
    /// `(1 - step / steps)^power` (DeepLab: Chen et al. 2018, section 4.1, with power 0.9).
    Poly {
        /// The exponent.
        power: f64,
    },
    /// A linear rise from 0 over the first steps, then half a cosine down to `floor` (SGDR: Loshchilov and Hutter 2017,
    /// equation 5, without restarts).
    Cosine {
        /// The share of the rise in all steps, 0 to 1 (1 excluded).
        warm_up: f64,
        /// The factor at the end, 0 to 1.
        floor: f64,
    },
}

impl Schedule {
    /// The factor for step `step` (from 0) of `steps`.
    ///
    /// ```
    /// use dapple_train::Schedule;
    /// let schedule = Schedule::Cosine { warm_up: 0.2, floor: 0.0 };
    /// assert_eq!(schedule.factor(0, 10), 0.5); // two steps of warm-up
    /// assert_eq!(schedule.factor(1, 10), 1.0);
    /// assert_eq!(schedule.factor(6, 10), 0.5); // half way down
    /// ```
    pub fn factor(&self, step: u64, steps: u64) -> f64 {
        let steps = steps.max(1) as f64;
        let step = (step as f64).min(steps);
        match *self {
            Self::Constant => 1.0,
            Self::Poly { power } => (1.0 - step / steps).powf(power),
            Self::Cosine { warm_up, floor } => {
                let rise = (warm_up * steps).round();
                if step < rise {
                    return (step + 1.0) / rise;
                }
                let way = (step - rise) / (steps - rise).max(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * way).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_stays() {
        assert!((0..5).all(|step| Schedule::Constant.factor(step, 5) == 1.0));
    }

    #[test]
    fn poly_by_hand() {
        let linear = Schedule::Poly { power: 1.0 };
        let factors: Vec<f64> = (0..4).map(|step| linear.factor(step, 4)).collect();
        assert_eq!(factors, [1.0, 0.75, 0.5, 0.25]);
        assert_eq!(Schedule::Poly { power: 0.5 }.factor(3, 4), 0.5);
        // 0.5^0.9
        assert!((Schedule::Poly { power: 0.9 }.factor(50, 100) - 0.535_886_731_268_146_6).abs() < 1e-15);
    }

    #[test]
    fn cosine_by_hand() {
        let schedule = Schedule::Cosine { warm_up: 0.0, floor: 0.1 };
        assert_eq!(schedule.factor(0, 3), 1.0);
        // cos(60°) = 1/2, cos(120°) = -1/2
        assert!((schedule.factor(1, 3) - (0.1 + 0.9 * 0.75)).abs() < 1e-15);
        assert!((schedule.factor(2, 3) - (0.1 + 0.9 * 0.25)).abs() < 1e-15);
        assert!((schedule.factor(3, 3) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn one_step_is_a_whole_training() {
        for schedule in [
            Schedule::Constant,
            Schedule::Poly { power: 0.9 },
            Schedule::Cosine { warm_up: 0.05, floor: 0.0 },
            Schedule::Cosine { warm_up: 0.9, floor: 0.0 },
        ] {
            assert_eq!(schedule.factor(0, 1), 1.0, "{schedule:?}");
        }
    }
}
