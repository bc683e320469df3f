//! Computes all nodes of a graph.

use crate::ops::{compute, margin};
use crate::trace::{Kept, Trace};
use crate::{State64, Tensor64};
use dapple_graph::{Affine, DropoutState, Graph, Mode, Quantization};

/// As [`forward_with`] in pass 0 of dropout seed 0, where executors start.
///
/// # Panics
/// If the input or the state does not fit the graph.
pub fn forward(graph: &Graph, state: &State64, input: &Tensor64, mode: Mode) -> Trace {
    forward_with(graph, state, input, mode, DropoutState::default())
}

/// As [`forward`] in [`Mode::Eval`], for a quantized network: each of its convolutions reads its input rounded to the numbers
/// of its integers. The weights are used as they are, which [`Quantization::rounded`] has rounded.
///
/// # Panics
/// As [`forward`].
pub fn forward_quantized(
    graph: &Graph,
    state: &State64,
    input: &Tensor64,
    quantization: &Quantization,
) -> Trace {
    compute_all(graph, state, input, Mode::Eval, DropoutState::default(), quantization)
}

/// Computes all nodes. In [`Mode::Train`] batch norm takes the batch's moments and updates the running
/// statistics; the other modes take the running ones. Dropout drops in [`Mode::Train`] and [`Mode::Sample`].
///
/// # Panics
/// If the input or the state does not fit the graph.
pub fn forward_with(
    graph: &Graph,
    state: &State64,
    input: &Tensor64,
    mode: Mode,
    dropout: DropoutState,
) -> Trace {
    compute_all(graph, state, input, mode, dropout, &Quantization::default())
}

fn compute_all(
    graph: &Graph,
    state: &State64,
    input: &Tensor64,
    mode: Mode,
    dropout: DropoutState,
    quantization: &Quantization,
) -> Trace {
    assert_eq!(input.shape, graph.shape(graph.input()), "the input has the shape of the graph's");
    assert_eq!(state.specs, graph.params(), "the state is of this graph");
    let mut trace = Trace {
        values: vec![input.clone()],
        statistics: state.statistics.clone(),
        mode,
        dropout,
        kept: vec![Kept::Nothing],
        outputs: graph.outputs().iter().map(|(_, id)| *id).collect(),
        margin: f64::INFINITY,
    };
    for node in &graph.nodes()[1..] {
        let weight = Quantization::weight_of(graph, node).map(|weight| &graph.param(weight).name);
        let affine = weight.and_then(|name| quantization.inputs.get(name));
        let whole = affine.map(|affine| {
            let input = &mut trace.values[node.inputs[0].0];
            let rounded = rounded(input, affine);
            std::mem::replace(input, rounded)
        });
        let (value, kept) = compute(node, state, &mut trace);
        if let Some(whole) = whole {
            trace.values[node.inputs[0].0] = whole;
        }
        trace.margin = trace.margin.min(margin(node, &trace, &value));
        trace.values.push(value);
        trace.kept.push(kept);
    }
    trace
}

/// The numbers of the integers that are nearest to the values.
fn rounded(values: &Tensor64, affine: &Affine) -> Tensor64 {
    let (scale, zero) = (f64::from(affine.scale), f64::from(affine.zero));
    let round = |value: &f64| (value / scale).round_ties_even().clamp(-zero, 255.0 - zero) * scale;
    Tensor64::new(values.shape, values.data.iter().map(round).collect())
}
