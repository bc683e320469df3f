//! Dynamic batching: images that wait for one model become one batch.
//!
//! An image waits for others no longer than the delay, and not at all if the batch is full or was filled while the networks
//! were busy.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use dapple_base::contain;
use dapple_predict::{PredictError, Prediction, Predictor, Prepared};
use tokio::sync::oneshot;

use crate::bounds::held::Held;
use crate::config::Limits;
use crate::log::log;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// An image that waits, and the channel for its prediction.
struct Waiting {
    prepared: Prepared,
    held: Held,
    reply: oneshot::Sender<(Held, Predicted)>,
}

/// The prediction of an image; the images of a batch share a failure.
pub(crate) type Predicted = Result<Prediction, Failed>;

/// The reason why a batch has no predictions.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    /// An error.
    Error(Arc<PredictError>),
    /// A panic, which the log has.
    Panicked,
}

impl Failed {
    pub fn problem(&self) -> Problem {
        match self {
            Self::Error(error) => Problem::of_prediction(error),
            Self::Panicked => Problem::internal(),
        }
    }
}

/// The queue of one model. Its length is bounded by the slots for requests, not here.
pub(crate) struct Batcher {
    queue: Sender<Waiting>,
    thread: JoinHandle<()>,
    /// Since the networks have been running on a batch.
    busy: Arc<Mutex<Option<Instant>>>,
}

/// The networks' thread has ended.
#[derive(Debug)]
pub(crate) struct Stopped;

/// The state of a networks' thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It waits or works.
    Well,
    /// It has been at one batch for longer than allowed.
    Stuck,
    /// It has ended.
    Dead,
}

impl Condition {
    pub fn name(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Stuck => "stuck",
            Self::Dead => "dead",
        }
    }
}

impl Batcher {
    /// Starts the thread of a model; it ends with the batcher.
    ///
    /// # Errors
    /// The operating system's, if there can be no thread.
    pub fn start(predictor: Arc<Predictor>, limits: &Limits, metrics: Arc<Metrics>) -> io::Result<Self> {
        let (queue, waiting) = channel();
        let busy = Arc::new(Mutex::new(None));
        let networks = Networks {
            predictor,
            most: limits.batch.max(1),
            delay: limits.batch_delay,
            metrics,
            busy: Arc::clone(&busy),
        };
        let thread = Builder::new().name("networks".into()).spawn(move || networks.run(&waiting))?;
        Ok(Self { queue, thread, busy })
    }

    /// Waits for the prediction of a prepared image. If the caller gives up, the image is not predicted unless its batch
    /// has begun.
    pub async fn predict(&self, prepared: Prepared, held: Held) -> Result<(Held, Predicted), Stopped> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Waiting { prepared, held, reply }).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// The thread's state, where a batch may take so long.
    pub fn condition(&self, longest: Duration) -> Condition {
        let busy = *self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        match busy {
            _ if self.thread.is_finished() => Condition::Dead,
            Some(since) if since.elapsed() > longest => Condition::Stuck,
            _ => Condition::Well,
        }
    }
}

/// The thread's side.
struct Networks {
    predictor: Arc<Predictor>,
    most: usize,
    delay: Duration,
    metrics: Arc<Metrics>,
    busy: Arc<Mutex<Option<Instant>>>,
}

impl Networks {
    fn run(&self, waiting: &Receiver<Waiting>) {
        while let Ok(first) = waiting.recv() {
            let mut batch = vec![first];
            let until = Instant::now() + self.delay;
            while batch.len() < self.most {
                match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(next) => batch.push(next),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            batch.retain(|waiting| !waiting.reply.is_closed());
            if !batch.is_empty() {
                self.set_busy(Some(Instant::now()));
                self.predict(batch);
                self.set_busy(None);
            }
        }
    }

    fn set_busy(&self, since: Option<Instant>) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn predict(&self, batch: Vec<Waiting>) {
        let mut images = Vec::with_capacity(batch.len());
        let mut replies = Vec::with_capacity(batch.len());
        for Waiting { prepared, held, reply } in batch {
            images.push(prepared);
            replies.push((held, reply));
        }
        let begin = Instant::now();
        // A forward pass leaves nothing behind that a later one reads.
        let result = contain(|| self.predictor.run_batch(images));
        self.metrics.batch(replies.len(), begin.elapsed());
        let predicted: Vec<Predicted> = match result {
            Ok(Ok(predictions)) => predictions.into_iter().map(Ok).collect(),
            Ok(Err(error)) => {
                let failed = Failed::Error(Arc::new(error));
                replies.iter().map(|_| Err(failed.clone())).collect()
            }
            Err(panicked) => {
                log(format_args!("error: a batch failed by a bug in dapple: {panicked}"));
                replies.iter().map(|_| Err(Failed::Panicked)).collect()
            }
        };
        for ((held, reply), predicted) in replies.into_iter().zip(predicted) {
            // A caller that has given up meanwhile receives nothing.
            let _ = reply.send((held, predicted));
        }
    }
}
