//! Adding an operation of another graph.

use crate::{Graph, GraphError, Node, NodeId, Op};

impl Graph {
    /// Adds `op` as its builder method does, with the name and the inputs of a node of another graph, whose nodes are `at`
    /// these places in this one. Parameters are added anew under the same names.
    ///
    /// # Errors
    /// Where the operation does not fit its inputs, and for [`Op::Input`].
    pub fn repeat(
        &mut self,
        node: &Node,
        op: &Op,
        at: &dyn Fn(NodeId) -> NodeId,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&id| at(id)).collect();
        let (name, input) = (&node.name, |index: usize| inputs[index]);
        match op {
            Op::Input => Err(GraphError::Config("a graph has one input".into())),
            Op::Conv2d { conv, .. } => self.conv2d(name, input(0), conv),
            Op::ConvTranspose2d { conv, .. } => self.conv_transpose2d(name, input(0), conv),
            Op::BatchNorm { norm, .. } => self.batch_norm_with(name, input(0), *norm),
            Op::Relu => self.relu(input(0)),
            Op::MaxPool(pool) => self.max_pool(input(0), pool),
            Op::MaxUnpool { pool } => self.max_unpool(input(0), at(*pool)),
            Op::Resize { like, interpolation } => self.resize(input(0), at(*like), *interpolation),
            Op::Upscale { factor, interpolation } => self.upscale(input(0), *factor, *interpolation),
            Op::FitTo { like } => self.fit_to(input(0), at(*like)),
            Op::Concat => self.concat(&inputs),
            Op::Add => self.add(input(0), input(1)),
            Op::Pointwise(function) => self.activate(input(0), *function),
            Op::ChannelSum => self.channel_sum(input(0), node.shape.c),
            Op::Mul => self.mul(input(0), input(1)),
            Op::AdaptiveAvgPool => self.adaptive_avg_pool(input(0), [node.shape.h, node.shape.w]),
            Op::AvgPool(pool) => self.avg_pool(input(0), pool),
            Op::LayerNorm { eps, .. } => self.layer_norm(name, input(0), *eps),
            Op::GroupNorm { groups, eps, .. } => self.group_norm_with(name, input(0), *groups, *eps),
            Op::Scale { .. } => self.scale(name, input(0), 1.0),
            Op::Attention { heads } => self.attention(input(0), input(1), input(2), *heads),
            Op::Dropout { rate, .. } => self.dropout(input(0), *rate),
            Op::DropPath { rate, .. } => self.drop_path(input(0), *rate),
        }
    }
}
