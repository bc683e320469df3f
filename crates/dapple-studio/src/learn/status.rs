//! What the learner and the review are doing, for people.

use serde::Serialize;

use super::folds::Disagreement;

/// The present work of the learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LearnerState {
    /// There is none.
    #[default]
    Off,
    /// Pixels of two classes have to be labelled first.
    Waiting,
    /// It reads images.
    Reading,
    /// It trains.
    Learning,
    /// All is learnt and proposed.
    Resting,
    /// Something else has the processor.
    Paused,
    /// It met an error.
    Failed,
}

/// The learner, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LearnerStatus {
    /// Its work.
    pub state: LearnerState,
    /// Steps of the training in progress, or of the last one.
    pub step: usize,
    /// Its loss.
    pub loss: Option<f64>,
    /// The time from the last change of labels to the proposal that knows it, in seconds.
    pub seconds: f64,
    /// The reason of a failure, or something to know.
    pub message: Option<String>,
}

/// The present work of the review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewState {
    /// There was none.
    #[default]
    None,
    /// It is at work.
    Running,
    /// It is done.
    Done,
    /// It met an error.
    Failed,
}

/// A review: labelled images, those first whose labels disagree most with what the others teach.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReviewStatus {
    /// Its work.
    pub state: ReviewState,
    /// Images done.
    pub done: usize,
    /// Images in all.
    pub of: usize,
    /// The reason of a failure.
    pub message: Option<String>,
    /// The images, the worst first.
    pub images: Vec<Disagreement>,
}
