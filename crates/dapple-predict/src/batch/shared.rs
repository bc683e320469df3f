//! The state that the threads of a batch share.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dapple_base::{Digest, InputFault, Shard, ShardPart, Size, StopFlag, collection_fingerprint};
use dapple_data::{DataError, Photo};
use dapple_report::Palette;

use super::claims::Claims;
use super::settings::{BatchEvent, BatchSettings, BatchSummary};
use crate::error::PredictError;
use crate::geo::GeoReference;
use crate::inputs::Input;
use crate::output::{ImageInfo, OutputFile};
use crate::prediction::Prediction;
use crate::predictor::{Predictor, Prepared};
use crate::results::{Results, settings_fingerprint};
use crate::source::Opened;
use crate::tiles::TileGrid;

/// An image in progress.
pub(super) struct Task<'a> {
    /// The place of the input among all.
    pub index: usize,
    pub input: &'a Input,
    /// The fingerprint of models, settings and input.
    pub origin: String,
    pub info: ImageInfo,
    pub files: Vec<(OutputFile, PathBuf)>,
    /// The files that place them, with their contents.
    pub places: Vec<(PathBuf, String)>,
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
    /// The places of those to predict: all, or those of a share.
    share: Vec<usize>,
    pub claims: Claims,
    pub results: Results,
    /// The fingerprint of models and settings.
    settings: Digest,
    pub stop: &'a StopFlag,
    next: AtomicUsize,
    summary: Mutex<BatchSummary>,
    /// The inputs with results of these models and settings.
    good: Mutex<BTreeSet<usize>>,
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
    ) -> Result<Self, PredictError> {
        let names = &predictor.classes().names;
        let parts = batch.kinds.iter().flat_map(|kind| kind.files(names, &batch.output)).collect();
        let held = |input: &Input| batch.shard.is_none_or(|shard| shard.holds(&input.key()));
        Ok(Self {
            predictor,
            batch,
            classes,
            inputs,
            share: (0..inputs.len()).filter(|&index| held(&inputs[index])).collect(),
            claims: Claims::new(parts, inputs, batch),
            results: Results::open(&batch.out, batch.shard)?,
            settings: settings_fingerprint(predictor, &batch.output, &batch.engine),
            stop,
            next: AtomicUsize::new(0),
            summary: Mutex::default(),
            good: Mutex::default(),
            fatal: Mutex::default(),
            on_event,
        })
    }

    /// The fingerprint of an input and its place with the models and settings.
    pub fn origin(&self, input: &Input, geo: Option<&GeoReference>) -> Result<String, PredictError> {
        let read = |source| DataError::Read { path: input.path.clone(), source };
        let content = Digest::of_file(&input.path).map_err(read)?;
        let mut origin = self.settings.clone();
        // The name stands in tables.
        let name = input.path.file_name().unwrap_or_default();
        origin.part(name.as_encoded_bytes()).part(content.as_bytes());
        if let Some(GeoReference { matrix, system, .. }) = geo.filter(|geo| !geo.is_in_tags()) {
            // It stands in other files than the image.
            origin.part(format!("{matrix:?} {system:?}").as_bytes());
        }
        Ok(origin.text())
    }

    /// The next image that no thread has taken, with its index.
    pub fn take_next(&self) -> Option<(usize, &'a Input)> {
        let &index = self.share.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        Some((index, &self.inputs[index]))
    }

    /// Whether to take no further images.
    pub fn is_over(&self) -> bool {
        self.stop.is_raised() || lock(&self.fatal).is_some()
    }

    /// Adds time spent in the networks.
    pub fn add_network_time(&self, time: Duration) {
        lock(&self.summary).network += time;
    }

    /// Tells of the scale at which an image is seen, where that is not a matter of course.
    pub fn tell_scale(&self, input: &Input, (size, is_scene): (Size, Option<bool>), tiles: Option<TileGrid>) {
        match tiles {
            Some(grid) if grid.as_trained => (self.on_event)(BatchEvent::Scene(input, size, grid)),
            None if self.predictor.is_far_larger(size, is_scene) => {
                (self.on_event)(BatchEvent::SeenWhole(input, size))
            }
            _ => {}
        }
    }

    /// Counts an image whose results existed.
    pub fn kept(&self, index: usize) {
        (self.on_event)(BatchEvent::Kept(&self.inputs[index]));
        lock(&self.good).insert(index);
        lock(&self.summary).kept += 1;
    }

    /// Counts an image by its result.
    pub fn finished(&self, index: usize, result: Result<(), PredictError>) {
        match result {
            Ok(()) => {
                (self.on_event)(BatchEvent::Predicted(&self.inputs[index]));
                lock(&self.good).insert(index);
                lock(&self.summary).predicted += 1;
            }
            Err(error) => self.failed(index, error),
        }
    }

    /// Counts an image that could not be predicted; an error that is not the image's fault ends the batch.
    pub fn failed(&self, index: usize, error: PredictError) {
        let crashed = matches!(error, PredictError::Crashed { .. });
        if matches!(error, PredictError::Stopped) {
            // It is one of those that are left.
        } else if error.is_input_fault() || crashed {
            (self.on_event)(BatchEvent::Bad(&self.inputs[index], &error));
            let mut summary = lock(&self.summary);
            summary.bad += 1;
            summary.crashed += usize::from(crashed);
        } else {
            lock(&self.fatal).get_or_insert(error);
        }
    }

    /// The inputs with results of these models and settings, in order.
    pub fn good(&self) -> Vec<&'a Input> {
        lock(&self.good).iter().map(|&index| &self.inputs[index]).collect()
    }

    /// What a complete share says of itself.
    pub fn part(&self, shard: Shard) -> ShardPart {
        let keys: Vec<String> = self.inputs.iter().map(Input::key).collect();
        let good = lock(&self.good);
        let failed = self.share.iter().filter(|&index| !good.contains(index));
        let mut settings = self.settings.clone();
        for kind in &self.batch.kinds {
            settings.part(kind.name().as_bytes());
        }
        ShardPart {
            work: "predict".to_owned(),
            number: shard.number(),
            count: shard.count(),
            items: self.inputs.len(),
            collection: collection_fingerprint(keys.iter().map(String::as_str)),
            settings: settings.text(),
            positions: good.iter().copied().collect(),
            failed: failed.map(|&index| keys[index].clone()).collect(),
        }
    }

    /// Whether every input of the share was predicted, kept or found bad.
    pub fn is_complete(&self) -> bool {
        let done = {
            let summary = lock(&self.summary);
            summary.predicted + summary.kept + summary.bad
        };
        done == self.share.len() && lock(&self.fatal).is_none()
    }

    /// The counts after the last thread, or the error that ended the batch.
    pub fn into_summary(self) -> Result<BatchSummary, PredictError> {
        if let Some(error) = into_inner(self.fatal) {
            return Err(error);
        }
        let mut summary = into_inner(self.summary);
        summary.left = self.share.len() - summary.predicted - summary.kept - summary.bad;
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
