//! Training a head.

use std::ops::ControlFlow;
use std::sync::Arc;

use dapple_graph::{DropoutState, Engine, Loss, LossKind, Network, Optimizer, Shape, State, Tensor};

use super::head::{Head, HeadNetwork};
use super::pixels::{Pool, mixed};
use crate::error::{Result, StudioError};

/// Steps that are enough for a first answer.
pub const FAST_STEPS: usize = 80;

/// Steps of a head that is given time.
pub const THOROUGH_STEPS: usize = 400;

/// Rows and columns of a batch, which is a picture of pixels that have nothing to do with each other.
const BATCH: [usize; 2] = [24, 32];

/// The learning rate at the beginning; it falls to zero along half a cosine.
const RATE: f32 = 4e-3;
const DECAY: f32 = 0.02;

/// The longest gradient.
const CLIP: f32 = 5.0;

/// The least standard deviation of a feature that is magnified.
const LEAST_SPREAD: f32 = 0.05;

/// Trains a head on labelled pixels; half of each batch are pixels of all classes in equal numbers, half are any. The same pool gives
/// the same head. `told` is called after each step with its number and loss, and may end the training.
///
/// # Errors
/// [`StudioError::Refused`] where less than two classes have pixels, and for features or losses that are not finite; those of the
/// engine.
pub fn fit(
    engine: &dyn Engine,
    pool: &Pool<'_>,
    steps: usize,
    told: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<Option<Head>> {
    if pool.present() < 2 {
        return Err(StudioError::refused("label pixels of two classes first"));
    }
    let (features, classes) = (pool.features(), pool.classes.len());
    let network = HeadNetwork { features, classes };
    let (mean, scale) = moments(pool, features);
    let shape = Shape::new(1, BATCH[0], BATCH[1], features);
    let graph = network.build(shape).map_err(dapple_graph::EngineError::from)?;
    let mut trainer =
        engine.load_trainer(Arc::new(network), &State::init(&graph, 0), Optimizer::adamw(DECAY))?;
    trainer.set_dropout_state(DropoutState { seed: 0, passes: 0 });
    let loss = Loss::single(LossKind::CrossEntropy);
    let all: Vec<(u8, &[f32])> = (0..=u8::MAX)
        .zip(&pool.classes)
        .flat_map(|(label, pixels)| pixels.iter().map(move |pixel| (label, *pixel)))
        .collect();
    let present: Vec<(u8, &Vec<&[f32]>)> =
        (0..=u8::MAX).zip(&pool.classes).filter(|(_, pixels)| !pixels.is_empty()).collect();
    let count = BATCH[0] * BATCH[1];
    for step in 0..steps {
        let (mut values, mut labels) = (Vec::with_capacity(shape.len()), Vec::with_capacity(count));
        for place in 0..count {
            let draw = mixed((step * count + place + 1) as u64) as usize;
            let (label, pixel) = match place % 2 {
                0 => all[draw % all.len()],
                _ => {
                    let (label, pixels) = present[place / 2 % present.len()];
                    (label, pixels[draw % pixels.len()])
                }
            };
            labels.push(label);
            values.extend(pixel.iter().zip(&mean).zip(&scale).map(|((v, mean), scale)| (v - mean) * scale));
        }
        let value = trainer.accumulate(&Tensor::new(shape, values), &labels, &loss, 1.0)?;
        if !value.is_finite() {
            return Err(StudioError::refused(
                "the network that learns along met numbers that are not finite; if its encoder's weights are your own, check them, \
                 or start with --weights none",
            ));
        }
        let share = step as f32 / steps as f32;
        let rate = RATE * 0.5 * (1.0 + (std::f32::consts::PI * share).cos());
        trainer.step(rate, Some(CLIP))?;
        if told(step + 1, value).is_break() {
            return Ok(None);
        }
    }
    let head = Head::of(network, &trainer.state(), &mean, &scale);
    head.map(Some).ok_or_else(|| StudioError::refused("the engine gave the weights of another network"))
}

/// The mean of each feature, and the factor that brings its spread to 1.
fn moments(pool: &Pool<'_>, features: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut sums, mut squares) = (vec![0.0_f64; features], vec![0.0_f64; features]);
    let mut count = 0.0;
    for pixel in pool.classes.iter().flatten() {
        count += 1.0;
        for ((sum, square), &value) in sums.iter_mut().zip(&mut squares).zip(*pixel) {
            *sum += f64::from(value);
            *square += f64::from(value) * f64::from(value);
        }
    }
    let mean: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
    let scale = squares.iter().zip(&mean).map(|(square, &mean)| {
        let variance = (square / count) as f32 - mean * mean;
        1.0 / variance.max(0.0).sqrt().max(LEAST_SPREAD)
    });
    let scale = scale.collect();
    (mean, scale)
}
