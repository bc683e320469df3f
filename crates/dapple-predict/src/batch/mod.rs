//! Many images: decoding, networks and encoding side by side.
//!
//! Some threads decode and prepare images, one runs the networks, others make and write the outputs. Bounded queues lie
//! between, so that memory does not grow with the number of images. Files appear under their names when they are complete,
//! and the folder's record ([`results`](crate::results)) says of what they were made, so that a batch that was interrupted is
//! resumed by running it again. Several machines may each take a share of the images ([`BatchSettings::shard`]), whose files of
//! all images [`join()`] joins. A panic on an image is the error of that image.

mod claims;
mod join;
mod settings;
mod shared;
mod stages;
mod tables;
mod writing;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use dapple_base::StopFlag;

pub use join::{Joined, join};
pub use settings::{BatchEvent, BatchSettings, BatchSummary};
pub use tables::parts_in;

use self::shared::Shared;
use crate::error::PredictError;
use crate::inputs::Input;
use crate::output::output_palette;
use crate::predictor::Predictor;

/// Predicts images and writes the outputs of each. A bad image is reported to `on_event`, and the batch continues; `stop`
/// ends it after the image that the networks are working on, except that an image in tiles is abandoned.
///
/// # Errors
/// Those that concern more than one image: the engine, a folder that cannot be written to.
pub fn run(
    predictor: &Predictor,
    inputs: &[Input],
    batch: &BatchSettings,
    stop: &StopFlag,
    on_event: &(dyn Fn(BatchEvent<'_>) + Sync),
) -> Result<BatchSummary, PredictError> {
    let begin = Instant::now();
    let classes = output_palette(predictor.classes(), predictor.settings().threshold)?;
    writing::make_folder(&batch.out)?;
    let shared = Shared::new(predictor, batch, Arc::new(classes), inputs, stop, on_event)?;
    writing::clear_tables(&shared)?;
    let workers = batch.workers.max(1);
    thread::scope(|scope| {
        let (ready, jobs) = sync_channel(workers);
        let (predicted, done) = sync_channel(workers);
        let done = Arc::new(std::sync::Mutex::new(done));
        for _ in 0..workers {
            let (ready, shared) = (ready.clone(), &shared);
            scope.spawn(move || stages::decode(shared, &ready));
            let done = Arc::clone(&done);
            scope.spawn(move || stages::encode(shared, &done));
        }
        // The queues end when their last senders are gone.
        drop((ready, done));
        stages::run_networks(&shared, &jobs, &predicted);
    });
    if shared.is_complete() {
        writing::merge(&shared)?;
    }
    let mut summary = shared.into_summary()?;
    summary.elapsed = begin.elapsed();
    Ok(summary)
}
