//! One step of the optimizer.

use super::GpuTrainer;
use crate::flat::{Flat, sum, upload};
use crate::optim::{Step, spread, weight_mask};
use dapple_graph::engine::clip_factor;
use dapple_graph::{EngineError, InputError};

impl GpuTrainer {
    pub(super) fn learn(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        let rule = self.optimizer;
        let Some(gradients) = &self.gradients else {
            return Err(InputError::NoGradients.into());
        };
        let (device, len) = (&self.executor.card.device, self.executor.lens[0]);
        let of_parameters = |value: &dyn Fn(usize) -> f32| {
            (len > 0).then(|| upload(spread(&self.executor.specs, len, value), [len], device))
        };
        let trained = |index: usize| self.executor.specs[index].role.trainable();
        let factor = |index: usize| self.rate_factors[index];
        let some =
            |f: &dyn Fn(f32) -> bool| (0..self.executor.specs.len()).any(|i| trained(i) && f(factor(i)));
        let gradients = match some(&|factor| factor == 0.0) {
            // Gradients of frozen parameters may be NaN.
            true => {
                let frozen = of_parameters(&factor).map(|factors| factors.equal_scalar(0.0));
                gradients.map(|g| match frozen {
                    Some(frozen) => g.mask_fill(frozen, 0.0),
                    None => g,
                })
            }
            false => gradients.clone(),
        };
        let squares = gradients.map(|g| sum(g.clone() * g));
        let norm = squares.read(&self.executor.card.name)?.first().map_or(0.0, |sum| f64::from(*sum).sqrt());
        if !norm.is_finite() {
            self.gradients = None;
            return Ok(norm as f32);
        }
        let scale = clip_factor(norm, clip) as f32;
        let slots: Option<Vec<_>> = self.slots.iter().map(|slot| slot.0.clone()).collect();
        if let (Some(p), Some(g), Some(slots)) =
            (self.executor.parameters.values.0.clone(), gradients.0, slots)
        {
            let step = Step {
                rule,
                rate: learning_rate,
                factors: some(&|factor| factor != 1.0).then(|| of_parameters(&factor)).flatten(),
                weights: Some(upload(weight_mask(&self.executor.specs, len), [len], device)),
                steps: self.steps,
                specs: &self.executor.specs,
                rate_factors: &self.rate_factors,
            };
            let g = if scale == 1.0 { g } else { g * scale };
            let stepped = step.take(p, g, &slots);
            self.executor.parameters.values = Flat(Some(stepped.values));
            self.slots = stepped.slots.into_iter().map(|slot| Flat(Some(slot))).collect();
        }
        self.gradients = None;
        self.steps += 1;
        self.executor.folded = None;
        Ok(norm as f32)
    }
}
