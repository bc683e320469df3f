//! One step of the optimizer.

use super::TorchTrainer;
use crate::failure::Failure;
use crate::rules::Step;
use dapple_graph::engine::clip_factor;
use dapple_graph::{EngineError, InputError};
use tch::Kind;

impl TorchTrainer {
    pub(super) fn learn(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, Failure> {
        let gradient = self.gradient.take().ok_or(EngineError::Input(InputError::NoGradients))?;
        let _guard = tch::no_grad_guard();
        let gradient = match &self.rates.frozen {
            Some(frozen) => gradient.f_masked_fill(frozen, 0.0)?,
            None => gradient,
        };
        let norm = gradient.f_norm_scalaropt_dtype(2, Kind::Double)?.f_double_value(&[])?;
        if !norm.is_finite() {
            return Ok(norm as f32);
        }
        let scale = clip_factor(norm, clip);
        let gradient = if scale == 1.0 { gradient } else { gradient.f_mul_scalar(scale)? };
        let step = Step { gradient, learning_rate: f64::from(learning_rate), rates: &self.rates };
        self.rules.step(&mut self.executor.params, &step)?;
        self.executor.folded = None;
        Ok(norm as f32)
    }
}
