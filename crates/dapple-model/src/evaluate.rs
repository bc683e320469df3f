//! Evaluation of a network on samples of a data set.
//!
//! All scores go through [`evaluate_inputs`], one image at a time in [`Mode::Eval`](dapple_graph::Mode),
//! so that the scores printed in training and those of a later evaluation of the saved file are the same to the last
//! digit, whatever the batch size. Scores are taken at the network's input size, as the published recipes do;
//! [`evaluate_labels`] takes them at the images' own sizes, where they are those of the predicted masks.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::thread;

use dapple_base::{Ranks, RanksError};
use dapple_data::{CacheSettings, Channels, Dataset, InputSettings, Loader, LoaderSettings, Raster};
use dapple_graph::{Executor, Loss, Shape, Tensor};
use dapple_metrics::{Evaluator, EvaluatorState, MetricsError, Protocol, Scores};
use serde::{Deserialize, Serialize};

use crate::decide;
use crate::error::ModelError;

/// The loss and the scores of a model on a set of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean over the images of each image's loss.
    pub loss: f64,
    /// The scores, with those of each image.
    pub scores: Scores,
}

/// The samples to evaluate on, as the network's inputs.
#[derive(Clone, Debug)]
pub struct EvaluationSet(Loader);

impl EvaluationSet {
    /// The given samples of a data set, prepared as `input` says, in their order. `threads` decode images in the
    /// background, and `cache` says where they are kept for the next evaluation.
    ///
    /// # Errors
    /// [`ModelError::Data`] without a sample, or for settings out of range.
    pub fn new(
        dataset: &Arc<Dataset>,
        samples: &[usize],
        input: InputSettings,
        threads: usize,
        cache: CacheSettings,
    ) -> Result<Self, ModelError> {
        let settings = LoaderSettings { threads, cache, ..LoaderSettings::new(input, 1) };
        Ok(Self(Loader::new(Arc::clone(dataset), samples.to_vec(), settings)?))
    }

    /// The samples in order, one per batch.
    pub fn batches(&self) -> dapple_data::Epoch {
        self.0.epoch(0)
    }

    /// The number of samples, at least one.
    #[allow(clippy::len_without_is_empty, reason = "there is always at least one sample")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// One image between the network and the scores.
struct Scored {
    sample: usize,
    prediction: Vec<u8>,
    truth: Vec<u8>,
    height: usize,
    width: usize,
}

/// Runs the network over the samples, in order, and scores its labels; `None` if `on_image`, which receives the number of
/// images done, ends it early.
///
/// Images are decoded and scored in other threads than the network's.
///
/// # Errors
/// [`ModelError::Data`] for an image that cannot be loaded, [`ModelError::Engine`] from the network,
/// [`ModelError::Metrics`] for labels that cannot be scored.
pub fn evaluate(
    executor: &mut dyn Executor,
    set: &EvaluationSet,
    loss: &Loss,
    on_image: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Evaluation>, ModelError> {
    let measured = measure(executor, set, loss, on_image)?;
    Ok(measured.map(|(losses, evaluator)| Evaluation {
        loss: mean(&losses),
        scores: evaluator.finish_with_images(),
    }))
}

/// As [`evaluate`], with samples that ranks have divided among them in their order: `set` are this rank's, if it has any.
/// All ranks get the scores of all samples, the same to the last digit as one process does; `None` if it ended early on any
/// of them.
///
/// # Errors
/// Those of [`evaluate`]; [`ModelError::Ranks`] if another rank has ended.
pub fn evaluate_shared(
    ranks: &dyn Ranks,
    dataset: &Dataset,
    executor: &mut dyn Executor,
    set: Option<&EvaluationSet>,
    loss: &Loss,
    on_image: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Evaluation>, ModelError> {
    if let (1, Some(set)) = (ranks.size(), set) {
        return evaluate(executor, set, loss, on_image);
    }
    let measured = match set {
        Some(set) => measure(executor, set, loss, on_image)?,
        None => Some((Vec::new(), evaluator_of(dataset)?)),
    };
    let own = measured.map(|(losses, evaluator)| Measured {
        losses: losses.into_iter().map(f64::to_bits).collect(),
        collected: evaluator.into_state(),
    });
    let own = serde_json::to_vec(&own).expect("scores are numbers and names");
    let (mut losses, mut evaluator) = (Vec::new(), evaluator_of(dataset)?);
    for (rank, bytes) in ranks.gather(&own)?.iter().enumerate() {
        let measured: Option<Measured> = serde_json::from_slice(bytes)
            .map_err(|error| RanksError(format!("the scores of rank {rank} cannot be read: {error}")))?;
        let Some(measured) = measured else { return Ok(None) };
        losses.extend(measured.losses.into_iter().map(f64::from_bits));
        evaluator.add_state(measured.collected)?;
    }
    Ok(Some(Evaluation { loss: mean(&losses), scores: evaluator.finish_with_images() }))
}

/// What one rank has measured.
#[derive(Serialize, Deserialize)]
struct Measured {
    /// Bits of each image's loss, which may be NaN.
    losses: Vec<u64>,
    collected: EvaluatorState,
}

fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / losses.len() as f64
}

fn evaluator_of(dataset: &Dataset) -> Result<Evaluator, ModelError> {
    let protocol = Protocol::new(dataset.classes().names.iter(), dataset.ignore());
    Ok(Evaluator::new(protocol)?)
}

/// The loss of each image, and their counts.
fn measure(
    executor: &mut dyn Executor,
    set: &EvaluationSet,
    loss: &Loss,
    on_image: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<(Vec<f64>, Evaluator)>, ModelError> {
    let mut losses = Vec::with_capacity(set.len());
    let predict = |images: &Tensor, truth: &[u8]| -> Result<Vec<u8>, ModelError> {
        let (image_loss, logits) = executor.evaluate(images, truth, loss)?;
        losses.push(image_loss);
        Ok(decide::labels(&logits))
    };
    let evaluator = collect(predict, set, on_image)?;
    Ok(evaluator.map(|evaluator| (losses, evaluator)))
}

/// As [`evaluate`], for any function from an input `[1, h, w, c]` and its ground truth to labels `[h, w]`.
///
/// # Errors
/// Those of `predict`, and of [`evaluate`].
pub fn evaluate_inputs<E: From<ModelError>>(
    predict: impl FnMut(&Tensor, &[u8]) -> Result<Vec<u8>, E>,
    set: &EvaluationSet,
    on_image: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Scores>, E> {
    Ok(collect(predict, set, on_image)?.map(|evaluator| evaluator.finish_with_images()))
}

/// The counts of [`evaluate_inputs`].
fn collect<E: From<ModelError>>(
    mut predict: impl FnMut(&Tensor, &[u8]) -> Result<Vec<u8>, E>,
    set: &EvaluationSet,
    on_image: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Evaluator>, E> {
    let dataset = set.0.dataset();
    let mut evaluator = evaluator_of(dataset)?;

    thread::scope(|scope| {
        // A few images may wait for scoring; more would only take memory.
        let (sender, receiver) = mpsc::sync_channel::<Scored>(4);
        let scorer = scope.spawn(move || -> Result<Evaluator, MetricsError> {
            for image in receiver {
                let name = dataset.name(image.sample);
                evaluator.add(name, &image.prediction, &image.truth, image.height, image.width)?;
            }
            Ok(evaluator)
        });

        for (done, batch) in (1..).zip(set.0.epoch(0)) {
            let batch = batch.map_err(ModelError::from)?;
            let (height, width) = (batch.h, batch.w);
            let images = Tensor::new(Shape::new(batch.n, height, width, batch.c), batch.images);
            let prediction = predict(&images, &batch.labels)?;
            let image = Scored { sample: batch.indices[0], prediction, truth: batch.labels, height, width };
            if sender.send(image).is_err() {
                break; // The scorer has failed; its error is returned below.
            }
            if on_image(done).is_break() {
                return Ok(None);
            }
        }
        drop(sender);
        let evaluator = scorer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Some(evaluator.map_err(ModelError::from)?))
    })
}

/// Predicts the given samples, read with `channels`, at the size of their images, in order, and scores the labels there,
/// `[height, width]`; `None` if `on_image`, which receives the number of images done, ends it early. The scores are those of
/// the predicted masks.
///
/// # Errors
/// Those of `predict`; [`ModelError::Data`] for an image that cannot be loaded, [`ModelError::Metrics`] for labels that
/// cannot be scored.
pub fn evaluate_labels<E: From<ModelError>>(
    predict: &dyn Fn(&Raster) -> Result<Vec<u8>, E>,
    dataset: &Dataset,
    samples: &[usize],
    channels: Channels,
    on_image: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Scores>, E> {
    let protocol = Protocol::new(dataset.classes().names.iter(), dataset.ignore());
    let mut evaluator = Evaluator::new(protocol).map_err(ModelError::from)?;
    for (done, &sample) in (1..).zip(samples) {
        let pair = dataset.load(sample, channels).map_err(ModelError::from)?;
        let prediction = predict(&pair.image)?;
        let (height, width) = (pair.labels.height, pair.labels.width);
        let added = evaluator.add(dataset.name(sample), &prediction, &pair.labels.labels, height, width);
        added.map_err(ModelError::from)?;
        if on_image(done).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(evaluator.finish_with_images()))
}

/// `count` of `samples`, spread evenly over their order; all of them if there are fewer.
pub fn spread(samples: &[usize], count: usize) -> Vec<usize> {
    if count >= samples.len() {
        return samples.to_vec();
    }
    (0..count).map(|i| samples[(2 * i + 1) * samples.len() / (2 * count)]).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn samples_are_spread_evenly() {
        let samples: Vec<usize> = (0..10).collect();
        assert_eq!(spread(&samples, 2), [2, 7]);
        assert_eq!(spread(&samples, 5), [1, 3, 5, 7, 9]);
        assert!(spread(&samples, 0).is_empty());
        assert_eq!(spread(&samples, 99), samples);
    }
}
