//! Builders of the operations that join maps, weigh them and work on their channels.

use crate::{Graph, GraphError, Init, Node, NodeId, Op, ParamId, Pointwise, Role};

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

    /// A function of each value.
    ///
    /// # Errors
    /// If the node is not of this graph.
    pub fn activate(&mut self, x: NodeId, function: Pointwise) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        Ok(self.push_unnamed(Op::Pointwise(function), vec![x], s))
    }

    /// Layer normalisation over the channels of each pixel, with parameters `name.weight` and `name.bias`.
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

    /// Group normalisation with PyTorch's default `eps` and parameters `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// If a parameter of that name exists, the channels are not divisible into the groups, or the map is empty.
    pub fn group_norm(&mut self, name: &str, x: NodeId, groups: usize) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        if groups == 0 || !s.c.is_multiple_of(groups) || s.is_empty() {
            let why = format!("cannot be divided into {groups} groups of channels");
            return Err(GraphError::Invalid { op: "group_norm", name: name.into(), shape: s, why });
        }
        let [gamma, beta] = self.scale_and_shift(name, s.c)?;
        Ok(self.push(name, Op::GroupNorm { gamma, beta, groups, eps: 1e-5 }, vec![x], s))
    }

    /// The parameters of a normalisation, which start as the identity.
    fn scale_and_shift(&mut self, name: &str, channels: usize) -> Result<[ParamId; 2], GraphError> {
        let mut param = |part: &str, role, value| {
            self.add_param(format!("{name}.{part}"), vec![channels], role, Init::Constant(value))
        };
        Ok([param("weight", Role::NormScale, 1.0)?, param("bias", Role::NormShift, 0.0)?])
    }

    /// Multiplication with a trainable value for each channel, all of them `initial` at first. The parameter's full
    /// name is `name`, its shape `[c, 1, 1]`.
    ///
    /// # Errors
    /// If a parameter of that name exists.
    pub fn scale(&mut self, name: &str, x: NodeId, initial: f32) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let factor =
            self.add_param(name.to_owned(), vec![s.c, 1, 1], Role::Factor, Init::Constant(initial))?;
        Ok(self.push(name, Op::Scale { factor }, vec![x], s))
    }

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

    /// Inverted dropout of single values with probability `rate`; identity where the mode does not sample.
    ///
    /// # Errors
    /// If the rate is not in `0 .. 1`.
    pub fn dropout(&mut self, x: NodeId, rate: f32) -> Result<NodeId, GraphError> {
        self.dropping(x, rate, |rate, stream| Op::Dropout { rate, stream })
    }

    /// Stochastic depth: inverted dropout of whole images with probability `rate`; identity but in training.
    ///
    /// # Errors
    /// If the rate is not in `0 .. 1`.
    pub fn drop_path(&mut self, x: NodeId, rate: f32) -> Result<NodeId, GraphError> {
        self.dropping(x, rate, |rate, stream| Op::DropPath { rate, stream })
    }

    fn dropping(&mut self, x: NodeId, rate: f32, op: fn(f32, u64) -> Op) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let drops = |node: &&Node| matches!(node.op, Op::Dropout { .. } | Op::DropPath { .. });
        let op = op(rate, self.nodes().iter().filter(drops).count() as u64);
        if !(0.0..1.0).contains(&rate) {
            let name = format!("{}.{}", op.kind(), self.nodes().len());
            let why = format!("the rate is {rate}; it must be at least 0 and below 1");
            return Err(GraphError::Invalid { op: op.kind(), name, shape: s, why });
        }
        Ok(self.push_unnamed(op, vec![x], s))
    }
}
