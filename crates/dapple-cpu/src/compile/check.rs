//! Checks of drafts after each pass, in debug builds.

use super::arena;
use super::draft::Draft;
use dapple_graph::Graph;

/// Panics in debug builds if a step serves no node of the graph or has a place outside of its buffer.
pub(super) fn draft(draft: &Draft, graph: &Graph) {
    if !cfg!(debug_assertions) {
        return;
    }
    assert!(draft.forward <= draft.steps.len());
    let check = |place: usize| {
        let len = draft.buffers.get(arena::buffer(place)).expect("every place is in a buffer");
        assert!(arena::offset(place) < *len, "a place outside of its buffer of {len} values");
    };
    for step in &draft.steps {
        assert!(step.node < graph.nodes().len(), "no node {}: {step:?}", step.node);
        step.clone().visit(&mut |place| check(*place));
    }
    draft.outputs.iter().for_each(|(_, place)| check(*place));
    check(draft.input);
}
