//! The values of a model while it is read.

use super::constant::Constant;
use super::view::View;
use dapple_graph::NodeId;

/// A value of the foreign model.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Known for this size of the input.
    Known(Constant),
    /// A map of the image.
    Map(Map),
    /// The positions of the maxima that a pooling took, seen as its result is.
    Positions(Map),
    /// Products of queries and keys, before the softmax.
    Scores(Attention),
    /// Their softmax.
    Shares(Attention),
    /// `factor * (erf(x / sqrt(2)) + shift)` of a map without factor, where `shift` is 0 or 1: a part of GELU.
    Gate { x: Map, factor: f32, shift: f32 },
    /// Truths that are all false: what asks for values that are not numbers. With the shape.
    Never(Vec<usize>),
    /// Of a node that cannot be read, which is told elsewhere.
    Lost,
}

/// A map of the image, seen as a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map {
    pub node: NodeId,
    pub view: View,
    /// By which the node's values are still to be multiplied.
    pub factor: f32,
}

/// Queries with their keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attention {
    pub queries: NodeId,
    pub keys: NodeId,
    pub heads: usize,
    /// By which the products are multiplied.
    pub factor: f32,
    /// The queries' view, `[.., heads, tokens, channels]`, and the number of keys.
    pub view: View,
    pub tokens: usize,
}

impl Map {
    pub fn dims(&self) -> Vec<usize> {
        self.view.dims()
    }
}

impl Value {
    /// The shape as ONNX has it; `None` for a value that was lost.
    pub fn dims(&self) -> Option<Vec<usize>> {
        match self {
            Self::Known(constant) => Some(constant.dims.clone()),
            Self::Map(map) | Self::Positions(map) | Self::Gate { x: map, .. } => Some(map.dims()),
            Self::Scores(attention) | Self::Shares(attention) => {
                let mut dims = attention.view.dims();
                if let Some(last) = dims.last_mut() {
                    *last = attention.tokens;
                }
                Some(dims)
            }
            Self::Never(dims) => Some(dims.clone()),
            Self::Lost => None,
        }
    }
}
