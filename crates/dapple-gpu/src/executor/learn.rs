//! One step of the optimiser.

use super::GpuExecutor;
use crate::flat::{Flat, sum, upload};
use crate::optim::{Step, spread, weight_mask};
use dapple_graph::EngineError;

impl GpuExecutor {
    pub(super) fn learn(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        let rule = self.optimizer.ok_or_else(|| EngineError::Input("loaded without an optimiser".into()))?;
        let Some(gradients) = &self.gradients else {
            return Err(EngineError::Input("a step needs gradients; none were accumulated".into()));
        };
        let (device, len) = (&self.engine.device, self.lens[0]);
        let of_parameters = |value: &dyn Fn(usize) -> f32| {
            (len > 0).then(|| upload(spread(&self.specs, len, value), [len], device))
        };
        let trained = |index: usize| self.specs[index].role.trainable();
        let factor = |index: usize| self.rate_factors[index];
        let some = |f: &dyn Fn(f32) -> bool| (0..self.specs.len()).any(|i| trained(i) && f(factor(i)));
        let gradients = match some(&|factor| factor == 0.0) {
            // What is frozen may not be a number.
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
        let norm = squares.read(&self.engine.name)?.first().map_or(0.0, |sum| f64::from(*sum).sqrt());
        if !norm.is_finite() {
            self.gradients = None;
            return Ok(norm as f32);
        }
        // As PyTorch's clip_grad_norm_.
        let scale = clip.map_or(1.0, |clip| (f64::from(clip) / (norm + 1e-6)).min(1.0)) as f32;
        let slots: Option<Vec<_>> = self.slots.iter().map(|slot| slot.0.clone()).collect();
        if let (Some(p), Some(g), Some(slots)) = (self.parameters.values.0.clone(), gradients.0, slots) {
            let step = Step {
                rule,
                rate: learning_rate,
                factors: some(&|factor| factor != 1.0).then(|| of_parameters(&factor)).flatten(),
                weights: Some(upload(weight_mask(&self.specs, len), [len], device)),
                steps: self.steps,
                specs: &self.specs,
                rate_factors: &self.rate_factors,
            };
            let g = if scale == 1.0 { g } else { g * scale };
            let stepped = step.take(p, g, &slots);
            self.parameters.values = Flat(Some(stepped.values));
            self.slots = stepped.slots.into_iter().map(|slot| Flat(Some(slot))).collect();
        }
        self.gradients = None;
        self.steps += 1;
        self.folded = None;
        Ok(norm as f32)
    }
}
