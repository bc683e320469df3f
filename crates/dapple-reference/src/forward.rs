//! Computes all nodes of a graph.

use crate::ops::{compute, margin};
use crate::trace::{Kept, Trace};
use crate::{State64, Tensor64};
use dapple_graph::{DropoutState, Graph, Mode};

/// As [`forward_with`] in pass 0 of dropout seed 0, where executors start.
///
/// # Panics
/// If the input or the state does not fit the graph.
pub fn forward(graph: &Graph, state: &State64, input: &Tensor64, mode: Mode) -> Trace {
    forward_with(graph, state, input, mode, DropoutState::default())
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
        let (value, kept) = compute(node, state, &mut trace);
        trace.margin = trace.margin.min(margin(node, &trace, &value));
        trace.values.push(value);
        trace.kept.push(kept);
    }
    trace
}
