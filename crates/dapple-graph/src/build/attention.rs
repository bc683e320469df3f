//! Attention.

use crate::{Graph, GraphError, NodeId, Op};

impl Graph {
    /// Multi-head attention over pixels: queries `q` `[n, h, w, c]`, keys `k` and values `v` `[n, h2, w2, c]`; for
    /// each of the `heads` runs of `d = c / heads` channels `softmax(q k^T / sqrt(d)) v`. The output has the shape of
    /// `q`. Projections before and behind it are 1 x 1 convolutions.
    ///
    /// # Errors
    /// If batch or channels differ, keys and values differ, there is no key, or the channels are not divisible into
    /// the heads.
    pub fn attention(&mut self, q: NodeId, k: NodeId, v: NodeId, heads: usize) -> Result<NodeId, GraphError> {
        let (left, right, values) = (self.check(q)?, self.check(k)?, self.check(v)?);
        let name = format!("attention.{}", self.nodes().len());
        if heads == 0 || !left.c.is_multiple_of(heads) || left.c == 0 {
            let why = format!("{} channels are not divisible into {heads} heads", left.c);
            return Err(GraphError::Invalid { op: "attention", name, shape: left, why });
        }
        if left.with_size(right.h, right.w) != right {
            let why = "queries and keys must have one batch and the same channels";
            return Err(GraphError::Mismatch { op: "attention", name, left, right, why });
        }
        if right != values {
            let why = "keys and values must have one shape";
            return Err(GraphError::Mismatch { op: "attention", name, left: right, right: values, why });
        }
        if right.h * right.w == 0 {
            let why = "there is no key to attend to; use a larger image".into();
            return Err(GraphError::Invalid { op: "attention", name, shape: right, why });
        }
        Ok(self.push(&name, Op::Attention { heads }, vec![q, k, v], left))
    }
}
