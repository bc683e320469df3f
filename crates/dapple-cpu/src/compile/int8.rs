//! The packed integer weights of a quantized network's convolutions.

use crate::kernels::int8::weights::Packed;
use crate::layout::depthwise;
use crate::simd::{DotLevel, Level};
use dapple_graph::{Affine, Graph, IntegerWeights, Node, Op, ParamId, Quantization, State};
use std::collections::HashMap;
use std::sync::Arc;

/// The weights of the convolutions that compute in integers.
pub(crate) struct Integers(HashMap<ParamId, Arc<Packed>>);

impl Integers {
    /// Those of a graph with its batch norms folded, for the kernels of a level. The state's weights are the numbers of their
    /// integers, but for a factor of each channel that the folding brought in: so the integers are found again.
    pub fn new(graph: &Graph, state: &State, quantization: &Quantization, level: Level) -> Self {
        let level = DotLevel::of(level);
        let packed = graph.nodes().iter().filter_map(|node| {
            let Op::Conv2d { weight, bias, conv } = &node.op else { return None };
            let spec = graph.param(*weight);
            let input = *quantization.inputs.get(&spec.name)?;
            let channels = graph.shape(node.inputs[0]).c;
            let weights = IntegerWeights::of(state.slice(weight.0), conv.out_channels);
            let bias = bias.map(|bias| state.slice(bias.0));
            let packed = match depthwise(conv, channels) {
                true => Packed::depthwise(&weights, bias, input, level),
                false => Packed::dense(&weights, channels, bias, input, level),
            };
            Some((*weight, Arc::new(packed)))
        });
        Self(packed.collect())
    }

    /// The integers that a node reads, if it is a convolution that computes in them.
    pub fn input_of(&self, node: &Node) -> Option<Affine> {
        let Op::Conv2d { weight, .. } = &node.op else { return None };
        Some(self.get(*weight)?.input)
    }

    /// Those of a convolution, if it computes in integers.
    pub fn get(&self, weight: ParamId) -> Option<&Arc<Packed>> {
        self.0.get(&weight)
    }
}
