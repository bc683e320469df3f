//! Operations that join maps: concatenation, sum, product.

use crate::{Graph, GraphError, NodeId, Op};

impl Graph {
    /// Concatenation along the channels.
    ///
    /// # Errors
    /// If there is no input, or batch, height or width differ.
    pub fn concat(&mut self, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let name = format!("concat.{}", self.nodes().len());
        let &first = inputs.first().ok_or_else(|| GraphError::Config("concat needs an input".into()))?;
        let left = self.check(first)?;
        let mut c = 0;
        for &x in inputs {
            let right = self.check(x)?;
            if right.with_channels(left.c) != left {
                let why = "batch, height and width must be equal";
                return Err(GraphError::Mismatch { op: "concat", name, left, right, why });
            }
            c += right.c;
        }
        Ok(self.push(&name, Op::Concat, inputs.to_vec(), left.with_channels(c)))
    }

    /// Sum of two maps of one shape.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, GraphError> {
        let (left, right) = (self.check(a)?, self.check(b)?);
        if left != right {
            let name = format!("add.{}", self.nodes().len());
            return Err(GraphError::Mismatch {
                op: "add",
                name,
                left,
                right,
                why: "the shapes must be equal",
            });
        }
        Ok(self.push_unnamed(Op::Add, vec![a, b], left))
    }

    /// Product of two maps of one shape, or of `a` with a gate `b` of shape `[n, 1, 1, c]`, which multiplies all
    /// pixels of its image.
    ///
    /// # Errors
    /// If `b` has neither shape.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, GraphError> {
        let (left, right) = (self.check(a)?, self.check(b)?);
        if right != left && right != left.with_size(1, 1) {
            let name = format!("mul.{}", self.nodes().len());
            let why = "the second must have the shape of the first, or its batch and channels and one pixel";
            return Err(GraphError::Mismatch { op: "mul", name, left, right, why });
        }
        Ok(self.push_unnamed(Op::Mul, vec![a, b], left))
    }
}
