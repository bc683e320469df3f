//! How a training ended.

use super::record::EpochRecord;

/// The end of a training.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done.
    Finished {
        /// Every epoch.
        records: Vec<EpochRecord>,
    },
    /// It was asked to stop and can be resumed.
    Interrupted {
        /// Epochs done.
        epochs_done: usize,
        /// Batches done of the epoch after them.
        batches_done: usize,
    },
}
