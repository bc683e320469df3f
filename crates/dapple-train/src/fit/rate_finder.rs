//! The learning-rate finder: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3, with rates
//! that grow exponentially and a smoothed loss.

use std::ops::ControlFlow;
use std::sync::Arc;

use dapple_data::{Dataset, Loader, LoaderSettings};
use dapple_graph::{DropoutState, Engine, Network, Shape, State, Tensor};

use super::initial::Initial;
use super::network::TrainingNetwork;
use super::rates::rate_factors;
use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// The first and the last rate.
const RATES: [f64; 2] = [1e-7, 1.0];
/// Share of the past in the smoothed loss.
const SMOOTHING: f64 = 0.9;
/// The sweep ends when the smoothed loss is this many times as large as its smallest.
const DIVERGED: f64 = 4.0;
/// Steps before which it does not end.
const AT_LEAST: usize = 10;

/// A step of a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateStep {
    /// Learning rate of the step.
    pub rate: f64,
    /// Loss of the step's batch.
    pub loss: f64,
    /// Mean of the losses so far, the latest weighing most.
    pub smoothed: f64,
}

/// Losses at rising rates.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSweep {
    /// The steps, with rising rates.
    pub steps: Vec<RateStep>,
}

impl RateSweep {
    /// Trains the network from its first state for up to `steps` steps with rising rates. No file is written; `on_step`
    /// is called after each step and may end it.
    ///
    /// # Errors
    /// Those of [`TrainConfig::check`], of the data and of the engine.
    pub fn measure(
        config: &TrainConfig,
        dataset: &Arc<Dataset>,
        engine: &dyn Engine,
        steps: usize,
        on_step: &mut dyn FnMut(usize, &RateStep) -> ControlFlow<()>,
    ) -> Result<Self, TrainError> {
        config.check()?;
        let parts = config.data.divide(dataset)?.indices(dataset)?;
        let input = config.input;
        let settings = LoaderSettings {
            augment: config.augment,
            shuffle: true,
            drop_last: true,
            seed: config.seed,
            threads: config.data.threads,
            ..LoaderSettings::new(input, config.batch.min(parts.train.len().max(1)))
        };
        let loader = Loader::new(Arc::clone(dataset), parts.train.clone(), settings)?;
        let graph = config.network.build(Shape::new(1, input.height, input.width, input.channels))?;
        let mut state = State::init(&graph, config.seed);
        if let Some(init) = &config.init {
            Initial::find(init)?.fill(&config.network, dataset.classes(), &mut state)?;
        }
        let network = Arc::new(TrainingNetwork::of(config));
        let mut executor = engine.load_trainer(network, &state, config.optimizer)?;
        executor.set_rate_factors(&rate_factors(config, graph.params(), 0)?)?;
        executor.set_dropout_state(DropoutState { seed: config.seed, passes: 0 });
        let loss = config.loss.resolve(
            config.network.check()?,
            dataset.ignore(),
            &dataset.class_statistics(&parts.train),
        );

        let (mut points, mut mean, mut smallest) = (Vec::new(), 0.0, f64::INFINITY);
        let batches = (0u64..).flat_map(|epoch| loader.epoch(epoch)).take(steps);
        for (step, batch) in batches.enumerate() {
            let batch = batch?;
            let rate = rate_of(step, steps);
            let images = Tensor::new(Shape::new(batch.n, batch.h, batch.w, batch.c), batch.images);
            let value = executor.accumulate(&images, &batch.labels, &loss, 1.0)?;
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * value;
            // Corrects for a mean that began with 0.
            let smoothed = mean / (1.0 - SMOOTHING.powi(step as i32 + 1));
            if !smoothed.is_finite() {
                break;
            }
            let point = RateStep { rate, loss: value, smoothed };
            points.push(point);
            smallest = smallest.min(smoothed);
            if on_step(step, &point).is_break() || (step >= AT_LEAST && smoothed > DIVERGED * smallest) {
                break;
            }
            executor.step(rate as f32, config.clip_norm)?;
        }
        Ok(Self { steps: points })
    }

    /// The rate at which the smoothed loss falls fastest with the rate's logarithm, before its minimum; `None` where it
    /// never falls. The first tenth is left out, in which the mean is still young.
    pub fn suggestion(&self) -> Option<f64> {
        let points = &self.steps[self.steps.len() / 10..];
        let lowest = (0..points.len()).min_by(|&a, &b| points[a].smoothed.total_cmp(&points[b].smoothed))?;
        let slope = |i: usize| {
            let (before, after) = (&points[i - 1], &points[i + 1]);
            (after.smoothed - before.smoothed) / (after.rate / before.rate).ln()
        };
        let inner = 1..lowest.min(points.len().saturating_sub(1));
        let steepest = inner.min_by(|&a, &b| slope(a).total_cmp(&slope(b)))?;
        (slope(steepest) < 0.0).then(|| points[steepest].rate)
    }
}

fn rate_of(step: usize, steps: usize) -> f64 {
    let [first, last] = RATES;
    first * (last / first).powf(step as f64 / (steps.max(2) - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steepest_fall_is_suggested() {
        // A smooth step down around 1e-3, and up again beyond 0.1.
        let steps = 200;
        let point = |step| {
            let rate = rate_of(step, steps);
            let smoothed = 1.0 - 0.5 / (1.0 + (1e-3 / rate)) + (rate / 0.2).powi(2);
            RateStep { rate, loss: smoothed, smoothed }
        };
        let sweep = RateSweep { steps: (0..steps).map(point).collect() };
        let rate = sweep.suggestion().expect("it falls");
        assert!((5e-4..2e-3).contains(&rate), "{rate}");
        let rising = |step| RateStep { smoothed: step as f64, ..point(step) };
        assert_eq!(RateSweep { steps: (0..steps).map(rising).collect() }.suggestion(), None);
        assert_eq!(RateSweep { steps: Vec::new() }.suggestion(), None);
        assert_eq!((rate_of(0, 100), rate_of(99, 100)), (1e-7, 1.0));
    }
}
