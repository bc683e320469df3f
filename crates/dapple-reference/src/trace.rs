//! The results of a forward pass.

use crate::Tensor64;
use crate::ops::norm::Moments;
use dapple_graph::{DropoutState, Mode, NodeId};

/// Everything that a forward pass computed.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The value of each node, in the graph's order.
    pub values: Vec<Tensor64>,
    /// The running statistics after the pass, laid out like [`State64::statistics`](crate::State64::statistics).
    pub statistics: Vec<f64>,
    pub(crate) mode: Mode,
    pub(crate) dropout: DropoutState,
    pub(crate) kept: Vec<Kept>,
    pub(crate) outputs: Vec<NodeId>,
    pub(crate) margin: f64,
}

/// A node's results that its gradient needs besides values.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Nothing,
    /// Of max pooling: where the maxima stood in the input's data.
    Positions(Vec<usize>),
    /// Of batch norm: the moments used.
    Moments(Moments),
}

impl Trace {
    /// The graph's outputs, the primary one first.
    pub fn outputs(&self) -> Vec<Tensor64> {
        self.outputs.iter().map(|id| self.values[id.0].clone()).collect()
    }

    /// The smallest distance of any ReLU's input to zero (of a hard sigmoid's or hard swish's to 3 or -3) and of any
    /// pooled maximum to another value of its window. Where an engine's rounding errors are larger, its gradient may rightly
    /// take another branch and its unpooling put a value elsewhere, so tests that compare either ask for a margin well above them:
    /// nineteen of twenty random networks have 1e-5 or more.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// Whether dropout drops.
    pub(crate) fn drops(&self) -> bool {
        self.mode.drops()
    }

    /// Where the maxima of a pooling stood.
    pub(crate) fn positions(&self, pool: NodeId) -> &[usize] {
        match &self.kept[pool.0] {
            Kept::Positions(positions) => positions,
            _ => panic!("node {} is not a max pooling", pool.0),
        }
    }
}
