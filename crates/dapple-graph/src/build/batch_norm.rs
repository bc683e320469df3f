//! Batch normalization.

use crate::{BatchNorm, Graph, GraphError, Init, NodeId, Op, Role};

impl Graph {
    /// Batch normalization with PyTorch's default settings and parameters `name.weight`, `name.bias`,
    /// `name.running_mean`, `name.running_var`.
    ///
    /// # Errors
    /// If a parameter of that name exists.
    pub fn batch_norm(&mut self, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        self.batch_norm_with(name, x, BatchNorm::default())
    }

    /// Batch normalization with settings.
    ///
    /// # Errors
    /// If a parameter of that name exists.
    pub fn batch_norm_with(&mut self, name: &str, x: NodeId, norm: BatchNorm) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let mut param = |part: &str, role, value| {
            self.add_param(format!("{name}.{part}"), vec![s.c], role, Init::Constant(value))
        };
        let gamma = param("weight", Role::NormScale, 1.0)?;
        let beta = param("bias", Role::NormShift, 0.0)?;
        let mean = param("running_mean", Role::RunningMean, 0.0)?;
        let var = param("running_var", Role::RunningVar, 1.0)?;
        Ok(self.push(name, Op::BatchNorm { gamma, beta, mean, var, norm }, vec![x], s))
    }
}
