//! Normalizations and the parameters that they share.

use crate::{BatchNorm, Graph, GraphError, Init, NodeId, Op, ParamId, Role};

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

    /// Freezes the batch norms whose names begin with `prefix`: in training they normalize with their running statistics too,
    /// and leave them as they are. Scale and shift still learn.
    pub fn freeze_batch_norms(&mut self, prefix: &str) {
        for node in &mut self.nodes {
            if let Op::BatchNorm { norm, .. } = &mut node.op
                && node.name.starts_with(prefix)
            {
                norm.frozen = true;
            }
        }
    }

    /// Layer normalization over the channels of each pixel, with parameters `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// If a parameter of that name exists or `eps` is not a positive number.
    pub fn layer_norm(&mut self, name: &str, x: NodeId, eps: f32) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if !(eps.is_finite() && eps > 0.0) {
            let why = format!("eps is {eps}; it must be a positive number");
            return Err(GraphError::Invalid { op: "layer_norm", name: name.into(), shape: s, why });
        }
        let [gamma, beta] = self.scale_and_shift(name, s.c)?;
        Ok(self.push(name, Op::LayerNorm { gamma, beta, eps }, vec![x], s))
    }

    /// Group normalization with PyTorch's default `eps` and parameters `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// If a parameter of that name exists, the channels are not divisible into the groups, or the map is empty.
    pub fn group_norm(&mut self, name: &str, x: NodeId, groups: usize) -> Result<NodeId, GraphError> {
        self.group_norm_with(name, x, groups, 1e-5)
    }

    /// Group normalization with an `eps` of its own.
    ///
    /// # Errors
    /// As [`Graph::group_norm`], and if `eps` is not a positive number.
    pub fn group_norm_with(
        &mut self,
        name: &str,
        x: NodeId,
        groups: usize,
        eps: f32,
    ) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if !(eps.is_finite() && eps > 0.0) {
            let why = format!("eps is {eps}; it must be a positive number");
            return Err(GraphError::Invalid { op: "group_norm", name: name.into(), shape: s, why });
        }
        if groups == 0 || !s.c.is_multiple_of(groups) || s.is_empty() {
            let why = format!("cannot be divided into {groups} groups of channels");
            return Err(GraphError::Invalid { op: "group_norm", name: name.into(), shape: s, why });
        }
        let [gamma, beta] = self.scale_and_shift(name, s.c)?;
        Ok(self.push(name, Op::GroupNorm { gamma, beta, groups, eps }, vec![x], s))
    }

    /// The scale and shift of a normalization, which start as the identity.
    fn scale_and_shift(&mut self, name: &str, channels: usize) -> Result<[ParamId; 2], GraphError> {
        let mut param = |part: &str, role, value| {
            self.add_param(format!("{name}.{part}"), vec![channels], role, Init::Constant(value))
        };
        Ok([param("weight", Role::NormScale, 1.0)?, param("bias", Role::NormShift, 0.0)?])
    }
}
