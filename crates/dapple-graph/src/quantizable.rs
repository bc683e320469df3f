//! The convolutions of a graph that can be quantized, and their weights.

use crate::{Affine, Conv2d, Graph, IntegerWeights, Node, Op, ParamId, Quantization, State};

impl Quantization {
    /// The weight of a convolution that can be quantized: dense or depthwise, with so few terms in a sum that integers of 32
    /// bits (of a depthwise one: the whole numbers of `f32`) hold it exactly.
    pub fn weight_of(graph: &Graph, node: &Node) -> Option<ParamId> {
        let Op::Conv2d { weight, conv, .. } = &node.op else { return None };
        let channels = graph.shape(*node.inputs.first()?).c;
        let taps = conv.kernel[0] * conv.kernel[1];
        let fits = if is_depthwise(conv, channels) {
            taps <= MOST_TAPS
        } else {
            conv.groups == 1 && taps * channels.next_multiple_of(4) <= MOST_TERMS
        };
        fits.then_some(*weight)
    }

    /// Checks that every entry is of a convolution that can be quantized, and usable.
    ///
    /// # Errors
    /// The fault, in words.
    pub fn check(&self, graph: &Graph) -> Result<(), String> {
        let weights = graph.nodes().iter().filter_map(|node| Self::weight_of(graph, node));
        let known: Vec<&str> = weights.map(|weight| graph.param(weight).name.as_str()).collect();
        for (name, affine) in &self.inputs {
            if !known.contains(&name.as_str()) {
                return Err(format!(
                    "`{name}` is quantized, but is no weight of a dense or depthwise convolution"
                ));
            }
            if !Affine::SCALES.contains(&affine.scale) {
                return Err(format!(
                    "`{name}` has an input of scale {}, which no network can use",
                    affine.scale
                ));
            }
        }
        Ok(())
    }

    /// A state with the weights of the quantized convolutions rounded to their integers' numbers, once and for all: done again,
    /// it changes nothing.
    pub fn rounded(&self, state: &State) -> State {
        let mut rounded = state.clone();
        for index in 0..rounded.specs.len() {
            let spec = &rounded.specs[index];
            if self.inputs.contains_key(&spec.name) {
                let channels = spec.shape[0];
                let weights = IntegerWeights::to_keep(rounded.slice(index), channels).numbers();
                rounded.slice_mut(index).copy_from_slice(&weights);
            }
        }
        rounded
    }
}

/// Terms of a dense convolution's sum at most: twice as many of 255 times 127 fit 32 bits.
const MOST_TERMS: usize = 33_000;
/// Taps of a depthwise convolution at most: twice as many products of 255 and 127 are below 2^24.
const MOST_TAPS: usize = 256;

fn is_depthwise(conv: &Conv2d, channels: usize) -> bool {
    channels > 1 && conv.groups == channels && conv.out_channels == channels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;
    use std::collections::BTreeMap;

    #[test]
    fn entries_that_are_no_weights_of_convolutions_are_refused() {
        let mut graph = Graph::new(Shape::new(1, 8, 8, 4));
        let x = graph.conv2d("dense", graph.input(), &Conv2d::new(8, 3)).expect("the kernel fits");
        let x = graph.conv2d("grouped", x, &Conv2d::new(8, 3).groups(2)).expect("the kernel fits");
        graph.output("logits", x).expect("of this graph");
        let with = |name: &str, scale| Quantization {
            inputs: BTreeMap::from([(name.to_owned(), Affine { scale, zero: 3 })]),
        };
        assert_eq!(with("dense.weight", 0.5).check(&graph), Ok(()));
        for (name, scale) in [("grouped.weight", 0.5), ("dense.bias", 0.5), ("dense.weight", f32::NAN)] {
            assert!(with(name, scale).check(&graph).is_err_and(|why| why.contains(name)));
        }
    }
}
