//! Sampling at another size, padding and cropping.

use crate::{Graph, GraphError, Interpolation, NodeId, Op};

impl Graph {
    /// Sampling at the size of `like`.
    ///
    /// # Errors
    /// If a node is not of this graph.
    pub fn resize(
        &mut self,
        x: NodeId,
        like: NodeId,
        interpolation: Interpolation,
    ) -> Result<NodeId, GraphError> {
        let (s, l) = (self.check(x)?, self.check(like)?);
        Ok(self.push_unnamed(Op::Resize { like, interpolation }, vec![x], s.with_size(l.h, l.w)))
    }

    /// Sampling at `factor` times the size.
    ///
    /// # Errors
    /// If the factor is zero.
    pub fn upscale(
        &mut self,
        x: NodeId,
        factor: usize,
        interpolation: Interpolation,
    ) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if factor == 0 {
            return Err(GraphError::Config("upscale: the factor must be at least 1".into()));
        }
        let shape = s.with_size(s.h * factor, s.w * factor);
        Ok(self.push_unnamed(Op::Upscale { factor, interpolation }, vec![x], shape))
    }

    /// Centred zero-padding or cropping to the size of `like`.
    ///
    /// # Errors
    /// If a node is not of this graph.
    pub fn fit_to(&mut self, x: NodeId, like: NodeId) -> Result<NodeId, GraphError> {
        let (s, l) = (self.check(x)?, self.check(like)?);
        Ok(self.push_unnamed(Op::FitTo { like }, vec![x], s.with_size(l.h, l.w)))
    }
}
