//! The pass that places every buffer of a draft in the arena.

use super::arena;
use super::draft::Draft;
use crate::plan::Plan;

/// The plan of a draft.
pub(super) fn settle(mut draft: Draft) -> Plan {
    let lives = draft.lives();
    let (offsets, arena_len) = arena::assign(&lives);
    debug_assert!(arena::disjoint(&lives, &offsets), "buffers that live at the same time share memory");
    let scratch = draft.scratch();
    let touched = draft.touched();
    let mut resolve = |place: &mut usize| *place = arena::resolve(&offsets, *place);
    for step in &mut draft.steps {
        step.visit(&mut resolve);
    }
    draft.outputs.iter_mut().for_each(|(_, place)| resolve(place));
    draft.output_gradients.iter_mut().for_each(|target| target.visit(&mut resolve));
    resolve(&mut draft.input);
    draft.input_gradient.iter_mut().for_each(resolve);
    let Draft { steps, forward, input, outputs, output_gradients, input_gradient, .. } = draft;
    Plan {
        steps,
        forward,
        touched,
        input_offset: input,
        outputs,
        output_gradients,
        input_gradient,
        arena_len,
        shared_len: scratch.shared,
        local_len: scratch.local,
    }
}
