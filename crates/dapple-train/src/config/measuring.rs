//! Settings of what happens besides the steps: measuring, and saving the state.

use serde::{Deserialize, Serialize};

use super::kind::Range;
use super::setting::{Flag, Group, at_least, number, settings};

settings! {
    /// Measuring after an epoch.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct EvaluationConfig: EVALUATION("evaluation.", Group::Schedule) {
        /// Epochs from one measurement to the next; the first and the last epoch are always measured.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        every: usize = at_least(1).auto().example("5").flag(
            Flag::new("evaluate-every", "N").help(
                "Measure after every so many epochs, and after the first and the last [default: 1; with --recipe auto, so \
                 that it takes about a tenth of the time]",
            ),
        ),
        /// Training images that are scored, unchanged, after each measured epoch; none with 0.
        ///
        /// A fixed choice, spread evenly, for the training curves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train_images: Option<usize> = at_least(0).unset("as many as there are validation images").example("50"),
        /// Validation images drawn in samples/ and strips/.
        ///
        /// A fixed choice, spread evenly.
        pictures: usize = at_least(0).example("12"),
    }
}

settings! {
    /// Saving the state, besides at the end of each epoch.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct CheckpointConfig: CHECKPOINT("checkpoint.", Group::Schedule) {
        /// Minutes within an epoch after which the state is saved.
        minutes: f64 = number(Range::above(0.0).to(f64::INFINITY)).example("30.0"),
        /// Batches within an epoch after which the state is saved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batches: Option<usize> = at_least(0).unset("saving by time only").example("500"),
    }
}

pub(super) fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn is_one(value: &usize) -> bool {
    *value == 1
}
