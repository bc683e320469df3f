//! One step of the optimiser.

use super::TorchExecutor;
use crate::failure::Failure;
use crate::rules::Step;
use dapple_graph::EngineError;
use tch::Kind;

impl TorchExecutor {
    pub(super) fn learn(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, Failure> {
        let Some(rules) = &mut self.rules else {
            return Err(EngineError::Input("loaded without an optimiser".into()).into());
        };
        let Some(gradient) = self.gradient.take() else {
            return Err(EngineError::Input("a step needs gradients; none were accumulated".into()).into());
        };
        let _guard = tch::no_grad_guard();
        let gradient = match &self.rates.frozen {
            Some(frozen) => gradient.f_masked_fill(frozen, 0.0)?,
            None => gradient,
        };
        let norm = gradient.f_norm_scalaropt_dtype(2, Kind::Double)?.f_double_value(&[])?;
        if !norm.is_finite() {
            return Ok(norm as f32);
        }
        // As PyTorch's clip_grad_norm_.
        let scale = clip.map_or(1.0, |clip| (f64::from(clip) / (norm + 1e-6)).min(1.0));
        let gradient = if scale == 1.0 { gradient } else { gradient.f_mul_scalar(scale)? };
        let step = Step { gradient, learning_rate: f64::from(learning_rate), rates: &self.rates };
        rules.step(&mut self.params, &step)?;
        self.folded = None;
        Ok(norm as f32)
    }
}
