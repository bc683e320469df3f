//! The parameters that normalizations share.

use crate::{Graph, GraphError, Init, ParamId, Role};

impl Graph {
    /// The scale and shift of a normalization, which start as the identity.
    pub(super) fn scale_and_shift(
        &mut self,
        name: &str,
        channels: usize,
    ) -> Result<[ParamId; 2], GraphError> {
        let mut param = |part: &str, role, value| {
            self.add_param(format!("{name}.{part}"), vec![channels], role, Init::Constant(value))
        };
        Ok([param("weight", Role::NormScale, 1.0)?, param("bias", Role::NormShift, 0.0)?])
    }
}
