//! Dynamic batching: images that wait for one model become one batch.
//!
//! An image waits for others no longer than the delay, and not at all if the batch is full or was filled while the networks
//! were busy.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use dapple_predict::{PredictError, Prediction, Predictor, Prepared};
use tokio::sync::oneshot;

use crate::config::Limits;
use crate::metrics::Metrics;

/// An image that waits, and the channel for its prediction.
struct Waiting {
    prepared: Prepared,
    reply: oneshot::Sender<Predicted>,
}

/// The prediction of an image; the images of a batch share an error.
pub(crate) type Predicted = Result<Prediction, Arc<PredictError>>;

/// The queue of one model. Its length is bounded by the slots for requests, not here.
pub(crate) struct Batcher {
    queue: Sender<Waiting>,
}

/// The networks' thread has ended.
#[derive(Debug)]
pub(crate) struct Stopped;

impl Batcher {
    /// Starts the thread of a model; it ends with the batcher.
    pub fn start(predictor: Arc<Predictor>, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let (queue, waiting) = channel();
        let (most, delay) = (limits.batch.max(1), limits.batch_delay);
        std::thread::spawn(move || run(&predictor, &waiting, most, delay, &metrics));
        Self { queue }
    }

    /// Waits for the prediction of a prepared image. If the caller gives up, the image is not predicted unless its batch
    /// has begun.
    pub async fn predict(&self, prepared: Prepared) -> Result<Predicted, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Waiting { prepared, reply }).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

fn run(predictor: &Predictor, waiting: &Receiver<Waiting>, most: usize, delay: Duration, metrics: &Metrics) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        let until = Instant::now() + delay;
        while batch.len() < most {
            match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        batch.retain(|waiting| !waiting.reply.is_closed());
        if batch.is_empty() {
            continue;
        }
        let (images, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.prepared, w.reply)).unzip();
        let begin = Instant::now();
        let result = predictor.run_batch(images);
        metrics.batch(replies.len(), begin.elapsed());
        // A caller that has given up meanwhile receives nothing.
        match result {
            Ok(predictions) => {
                for (reply, prediction) in replies.into_iter().zip(predictions) {
                    let _ = reply.send(Ok(prediction));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for reply in replies {
                    let _ = reply.send(Err(Arc::clone(&error)));
                }
            }
        }
    }
}
