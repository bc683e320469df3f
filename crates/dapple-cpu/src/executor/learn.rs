//! One step of the optimiser.

use super::CpuExecutor;
use crate::kernels::muon;
use crate::kernels::optim::{self, Segment};
use crate::kernels::pixels;
use crate::memory::Buffer;
use dapple_graph::{EngineError, Optimizer};

impl CpuExecutor {
    pub(super) fn learn(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        let rule = self.optimizer.ok_or_else(|| EngineError::Input("loaded without an optimiser".into()))?;
        let level = self.level;
        let Some(gradients) = self.gradients.as_mut() else {
            return Err(EngineError::Input("a step needs gradients; none were accumulated".into()));
        };
        let frozen = |task: &&Segment| task.rate == 0.0;
        self.tasks
            .iter()
            .filter(frozen)
            .for_each(|task| pixels::zero(gradients.base(), task.start, task.len));
        let pool = self.pool.clone();
        let norm = pool.install(|| optim::norm(level, gradients));
        self.fresh = true;
        if !norm.is_finite() {
            return Ok(norm as f32);
        }
        // As PyTorch's clip_grad_norm_.
        let scale = clip.map_or(1.0, |clip| (f64::from(clip) / (norm + 1e-6)).min(1.0)) as f32;
        let matrices = match rule {
            Optimizer::Muon { .. } => self.layout.matrices(),
            _ => Vec::new(),
        };
        let learned = |task: &&Segment| task.rate != 0.0 && !matrices.contains(&task.param);
        let tasks: Vec<Segment> = self.tasks.iter().filter(learned).copied().collect();
        let slots: Vec<_> = self.slots.iter_mut().map(Buffer::base).collect();
        let params = self.params.base();
        let steps = self.steps;
        pool.install(|| {
            let gradients = gradients.base();
            optim::step(level, rule, &tasks, params, gradients, &slots, learning_rate, scale, steps);
        });
        if let Optimizer::Muon { momentum, weight_decay, .. } = rule {
            let rule = muon::Rule { momentum, weight_decay, rate: learning_rate, scale };
            pool.install(|| self.learn_matrices(&rule, &matrices));
        }
        self.steps += 1;
        self.folded = None;
        Ok(norm as f32)
    }

    /// Muon's steps, on PyTorch's order of the values.
    fn learn_matrices(&mut self, rule: &muon::Rule, matrices: &[usize]) {
        let Some(gradients) = &self.gradients else { return };
        let gradients = self.layout.export(true, gradients);
        let mut values = self.layout.export(true, &self.params);
        let mut momentum = self.layout.export(true, &self.slots[0]);
        for &param in matrices {
            let (spec, factor) = (&self.layout.specs[param], self.rate_factors[param]);
            if factor == 0.0 {
                continue;
            }
            let range = spec.offset..spec.offset + spec.len();
            let rule = muon::Rule { rate: rule.rate * factor, ..*rule };
            rule.step(
                spec.shape[0],
                &mut values[range.clone()],
                &gradients[range.clone()],
                &mut momentum[range],
            );
        }
        self.layout.import(true, &values, &mut self.params);
        self.layout.import(true, &momentum, &mut self.slots[0]);
    }
}
