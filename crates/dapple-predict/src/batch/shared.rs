//! The state that the threads of a batch share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dapple_base::{InputFault, Size, StopFlag};
use dapple_data::Photo;
use dapple_report::Palette;

use super::settings::{BatchEvent, BatchSettings, BatchSummary};
use crate::error::PredictError;
use crate::inputs::{Input, doubles};
use crate::output::{ImageInfo, OutputFile};
use crate::prediction::Prediction;
use crate::predictor::{Predictor, Prepared};
use crate::source::Opened;
use crate::tiles::TileGrid;

/// An image in progress.
pub(super) struct Task<'a> {
    pub input: &'a Input,
    pub info: ImageInfo,
    pub files: Vec<(OutputFile, PathBuf)>,
}

/// An image that waits for the networks.
pub(super) enum Job<'a> {
    Whole(Task<'a>, Photo, Prepared),
    Tiles(Task<'a>, Opened, TileGrid),
}

/// An image with its prediction.
pub(super) struct Done<'a>(pub Task<'a>, pub Photo, pub Prediction);

/// Inputs, settings and results of a batch.
pub(super) struct Shared<'a> {
    pub predictor: &'a Predictor,
    pub batch: &'a BatchSettings,
    pub classes: Arc<Palette>,
    pub inputs: &'a [Input],
    /// Inputs whose results would have the name of an earlier one's.
    pub doubles: Vec<bool>,
    pub stop: &'a StopFlag,
    next: AtomicUsize,
    summary: Mutex<BatchSummary>,
    /// The first error that concerns more than one image.
    fatal: Mutex<Option<PredictError>>,
    on_event: &'a (dyn Fn(BatchEvent<'_>) + Sync),
}

impl<'a> Shared<'a> {
    pub fn new(
        predictor: &'a Predictor,
        batch: &'a BatchSettings,
        classes: Arc<Palette>,
        inputs: &'a [Input],
        stop: &'a StopFlag,
        on_event: &'a (dyn Fn(BatchEvent<'_>) + Sync),
    ) -> Self {
        Self {
            predictor,
            batch,
            classes,
            inputs,
            doubles: doubles(inputs),
            stop,
            next: AtomicUsize::new(0),
            summary: Mutex::default(),
            fatal: Mutex::default(),
            on_event,
        }
    }

    /// The next image that no thread has taken, with its index.
    pub fn take_next(&self) -> Option<(usize, &'a Input)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        self.inputs.get(index).map(|input| (index, input))
    }

    /// Whether to take no further images.
    pub fn is_over(&self) -> bool {
        self.stop.is_raised() || lock(&self.fatal).is_some()
    }

    /// Adds time spent in the networks.
    pub fn add_network_time(&self, time: Duration) {
        lock(&self.summary).network += time;
    }

    /// Tells of a scene that is cut into tiles.
    pub fn scene(&self, input: &Input, size: Size, grid: TileGrid) {
        (self.on_event)(BatchEvent::Scene(input, size, grid));
    }

    /// Counts an image whose results existed.
    pub fn kept(&self, input: &Input) {
        (self.on_event)(BatchEvent::Kept(input));
        lock(&self.summary).kept += 1;
    }

    /// Counts an image by its result.
    pub fn finished(&self, input: &Input, result: Result<(), PredictError>) {
        match result {
            Ok(()) => {
                (self.on_event)(BatchEvent::Predicted(input));
                lock(&self.summary).predicted += 1;
            }
            Err(error) => self.failed(input, error),
        }
    }

    /// Counts an image that could not be predicted; an error that is not the image's fault ends the batch.
    pub fn failed(&self, input: &Input, error: PredictError) {
        if matches!(error, PredictError::Stopped) {
            // It is one of those that are left.
        } else if error.is_input_fault() {
            (self.on_event)(BatchEvent::Bad(input, &error));
            lock(&self.summary).bad += 1;
        } else {
            lock(&self.fatal).get_or_insert(error);
        }
    }

    /// The counts after the last thread, or the error that ended the batch.
    pub fn into_summary(self) -> Result<BatchSummary, PredictError> {
        if let Some(error) = into_inner(self.fatal) {
            return Err(error);
        }
        let mut summary = into_inner(self.summary);
        summary.left = self.inputs.len() - summary.predicted - summary.kept - summary.bad;
        Ok(summary)
    }
}

/// A panic of another thread leaves sums that are still right.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
