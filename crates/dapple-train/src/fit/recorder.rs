//! The watcher that a training hands its network to.

use dapple_graph::Executor;
use dapple_metrics::Scores;

use super::record::EpochRecord;
use crate::error::RecorderError;

/// Draws and records what a training achieves, at the moments when the network holds the weights concerned.
///
/// A recorder may run the network forward in evaluation mode; it must leave its state as it is.
pub trait Recorder {
    /// The latest weights were scored on the validation set. `epoch` counts from 1, `epochs` is the expected number.
    ///
    /// # Errors
    /// Its own; they end the training.
    fn scored(
        &mut self,
        epoch: usize,
        epochs: usize,
        scores: &Scores,
        executor: &mut dyn Executor,
    ) -> Result<(), RecorderError>;

    /// A new best model was saved, whose weights the network holds.
    ///
    /// # Errors
    /// Its own; they end the training.
    fn improved(&mut self, scores: &Scores, executor: &mut dyn Executor) -> Result<(), RecorderError>;

    /// An epoch is complete: its row is the last of `records`. It is called before the checkpoint that counts the epoch is
    /// written, so that a resumed training may call it for the same epoch again.
    ///
    /// # Errors
    /// Its own; they end the training.
    fn epoch_ended(&mut self, records: &[EpochRecord]) -> Result<(), RecorderError>;

    /// The training is finished. The network holds the best model's weights and `best` its scores, if the data have a
    /// validation part.
    ///
    /// # Errors
    /// Its own.
    fn finished(
        &mut self,
        best: Option<&Scores>,
        records: &[EpochRecord],
        executor: &mut dyn Executor,
    ) -> Result<(), RecorderError>;
}

/// Records nothing.
impl Recorder for () {
    fn scored(&mut self, _: usize, _: usize, _: &Scores, _: &mut dyn Executor) -> Result<(), RecorderError> {
        Ok(())
    }

    fn improved(&mut self, _: &Scores, _: &mut dyn Executor) -> Result<(), RecorderError> {
        Ok(())
    }

    fn epoch_ended(&mut self, _: &[EpochRecord]) -> Result<(), RecorderError> {
        Ok(())
    }

    fn finished(
        &mut self,
        _: Option<&Scores>,
        _: &[EpochRecord],
        _: &mut dyn Executor,
    ) -> Result<(), RecorderError> {
        Ok(())
    }
}
