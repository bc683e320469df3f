//! Layer normalization.

use crate::{Graph, GraphError, NodeId, Op};

impl Graph {
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
}
