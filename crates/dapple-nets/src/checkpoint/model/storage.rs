//! Encoding of stored weights.

use super::format::parameter;
use crate::checkpoint::dtype::Dtype;
use crate::checkpoint::error::ContentError;
use dapple_graph::ParamSpec;
use half::f16;

/// The precision of stored weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// Single precision, without loss.
    #[default]
    Single,
    /// Half precision for the weights of layers, which halves the file. Parameters with one value a channel (biases, factors,
    /// norms and their statistics) stay in single precision.
    Half,
    /// Integers of eight bits for the weights of layers, with a scale for each output channel (of transposed convolutions for each
    /// input channel, their first axis), which makes the file a quarter. They are read as the numbers that the integers stand for,
    /// and computed with in single precision.
    Integers,
}

impl Storage {
    /// The type and the bytes of a parameter's values.
    pub(super) fn encode(self, spec: &ParamSpec, values: &[f32]) -> Result<(Dtype, Vec<u8>), ContentError> {
        if self != Self::Half || !spec.role.is_weight() {
            return Ok((Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
        }
        let halves = values.iter().map(|&value| f16::from_f32(value));
        if let Some((value, _)) =
            values.iter().zip(halves.clone()).find(|(v, h)| v.is_finite() && !h.is_finite())
        {
            return Err(parameter(&spec.name, &format!("{value} is too large for half precision")));
        }
        Ok((Dtype::F16, halves.flat_map(f16::to_le_bytes).collect()))
    }
}
