//! Sums over channels.

use crate::{Graph, GraphError, NodeId, Op};

impl Graph {
    /// The sum over the channels of each pixel, `channels` times: the inner product of two maps is that of their product, and
    /// with as many channels as a third map it is a gate for it ([`Graph::mul`]).
    ///
    /// # Errors
    /// For no channels.
    pub fn channel_sum(&mut self, x: NodeId, channels: usize) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if channels == 0 {
            return Err(GraphError::Config("a channel sum needs a channel to go to".into()));
        }
        Ok(self.push_unnamed(Op::ChannelSum, vec![x], s.with_channels(channels)))
    }

    /// `a - b` of two maps of one shape.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn subtract(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, GraphError> {
        let negative = self.activate(b, crate::Pointwise::Negative)?;
        self.add(a, negative)
    }
}
