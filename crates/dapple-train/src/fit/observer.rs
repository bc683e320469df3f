//! The progress of a training. Nothing in this crate prints.

use super::record::EpochRecord;

/// Something that happened in a training.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The training begins or resumes.
    Started {
        /// Name of the network.
        network: &'a str,
        /// Its trainable parameters.
        parameters: usize,
        /// Engine.
        device: &'a str,
        /// Training images.
        train_images: usize,
        /// Validation images.
        val_images: usize,
        /// Height and width of the network's input.
        size: (usize, usize),
        /// Epochs done before; 0 for a new training.
        epochs_done: usize,
        /// Batches done of the epoch after them.
        batches_done: usize,
        /// Epochs in all.
        epochs: usize,
    },
    /// Something worth knowing, for example which weights were loaded from a file.
    Note(&'a str),
    /// A batch was learned from.
    Batch {
        /// Epoch, from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Batch in the epoch, from 1.
        batch: usize,
        /// Batches in the epoch.
        batches: usize,
        /// Images in the batch.
        images: usize,
        /// Mean loss of the epoch's batches so far.
        loss: f64,
    },
    /// An image was scored.
    Scored {
        /// Epoch, from 1.
        epoch: usize,
        /// Images scored so far.
        done: usize,
        /// Images to score.
        images: usize,
    },
    /// An epoch ended and its row was written.
    Epoch {
        /// The row.
        record: &'a EpochRecord,
        /// Epochs in all.
        epochs: usize,
        /// Whether it is the best so far.
        best: bool,
    },
}

/// A watcher of a training's progress.
pub trait Observer {
    /// Takes an event.
    fn notice(&mut self, event: &Event<'_>);
}

/// Ignores every event.
impl Observer for () {
    fn notice(&mut self, _: &Event<'_>) {}
}
