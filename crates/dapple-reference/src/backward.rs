//! Gradients of a graph's inputs and parameters.

use crate::ops::differentiate;
use crate::trace::Trace;
use crate::{State64, Tensor64};
use dapple_graph::{Graph, ParamId};

/// The results of [`backward`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// Of the trainable parameters, laid out like [`State64::values`].
    pub values: Vec<f64>,
    /// Of the graph's input.
    pub input: Tensor64,
}

/// Gradients of `sum over outputs of (output * its gradient)`. After a pass in [`Mode::Train`](dapple_graph::Mode::Train) they flow
/// through the batch's moments; otherwise the running statistics are constants.
///
/// # Panics
/// If trace, state and gradients are not of this graph.
pub fn backward(graph: &Graph, state: &State64, trace: &Trace, output_gradients: &[Tensor64]) -> Gradients {
    assert_eq!(output_gradients.len(), graph.outputs().len(), "each output has a gradient");
    let mut gradients: Vec<Tensor64> = graph.nodes().iter().map(|n| Tensor64::zeros(n.shape)).collect();
    for ((_, id), gradient) in graph.outputs().iter().zip(output_gradients) {
        gradients[id.0].accumulate(gradient);
    }
    let mut values = vec![0.0; state.values.len()];
    for (index, node) in graph.nodes().iter().enumerate().skip(1).rev() {
        let gy = gradients[index].clone();
        let mut add_param = |id: ParamId, gradient: &[f64]| {
            let offset = state.specs[id.0].offset;
            values[offset..offset + gradient.len()].copy_from_slice(gradient);
        };
        let of_inputs = differentiate(node, index, state, trace, &gy, &mut add_param);
        for (id, gradient) in node.inputs.iter().zip(of_inputs) {
            gradients[id.0].accumulate(&gradient);
        }
    }
    Gradients { values, input: gradients.swap_remove(0) }
}
