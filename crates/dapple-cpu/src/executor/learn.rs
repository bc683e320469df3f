//! One step of the optimizer.

use super::trainer::CpuTrainer;
use crate::kernels::muon;
use crate::kernels::optim::{self, Segment};
use crate::kernels::pixels;
use crate::memory::Buffer;
use dapple_graph::engine::clip_factor;
use dapple_graph::{EngineError, InputError, Optimizer};

impl CpuTrainer {
    pub(super) fn learn(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        let rule = self.optimizer;
        let level = self.executor.resources.level;
        let Some(gradients) = self.gradients.as_mut() else {
            return Err(InputError::NoGradients.into());
        };
        let frozen = |task: &&Segment| task.rate == 0.0;
        self.tasks
            .iter()
            .filter(frozen)
            .for_each(|task| pixels::zero(gradients.base(), task.start, task.len));
        let pool = self.executor.resources.pool.clone();
        let norm = pool.install(|| optim::norm(level, gradients));
        self.fresh = true;
        if !norm.is_finite() {
            return Ok(norm as f32);
        }
        let scale = clip_factor(norm, clip) as f32;
        let matrices = match rule {
            Optimizer::Muon { .. } => self.executor.layout.matrices(),
            _ => Vec::new(),
        };
        let learned = |task: &&Segment| task.rate != 0.0 && !matrices.contains(&task.param);
        let tasks: Vec<Segment> = self.tasks.iter().filter(learned).copied().collect();
        let slots: Vec<_> = self.slots.iter_mut().map(Buffer::base).collect();
        let params = self.executor.params.base();
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
        self.executor.folded = None;
        Ok(norm as f32)
    }

    /// Muon's steps, on PyTorch's order of the values.
    fn learn_matrices(&mut self, rule: &muon::Rule, matrices: &[usize]) {
        let Some(gradients) = &self.gradients else { return };
        let gradients = self.executor.layout.export(true, gradients);
        let mut values = self.executor.layout.export(true, &self.executor.params);
        let mut momentum = self.executor.layout.export(true, &self.slots[0]);
        for &param in matrices {
            let (spec, factor) = (&self.executor.layout.specs[param], self.rate_factors[param]);
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
        self.executor.layout.import(true, &values, &mut self.executor.params);
        self.executor.layout.import(true, &momentum, &mut self.slots[0]);
    }
}
