//! An order of a draft's steps in which some are repeated.

use super::trace::Trace;
use crate::compile::arena::{self, Life};
use crate::compile::draft::Draft;
use crate::plan::Step;

/// The moments of a trace in the order in which they run.
#[derive(Default)]
pub(super) struct Schedule {
    pub runs: Vec<Run>,
    /// The buffer that each added one is a copy of. Their numbers follow those of the draft's.
    pub copies: Vec<usize>,
    /// Work of the steps that are repeated.
    pub work: u64,
    /// Most values that stood at a time.
    pub peak: usize,
}

/// A moment that runs.
pub(super) struct Run {
    pub moment: usize,
    /// Where each of the buffers stands that the moment touches, in its order.
    pub places: Vec<usize>,
}

impl Schedule {
    /// Length of the arena, with the scratch memory in it.
    pub fn arena_len(&self, trace: &Trace) -> usize {
        let copies = self.copies.iter().map(|&buffer| trace.buffers[buffer].len);
        let lens = trace.buffers.iter().map(|buffer| buffer.len).chain(copies);
        let mut lives: Vec<Life> = lens.map(|len| Life { len, steps: None }).collect();
        for (time, run) in self.runs.iter().enumerate() {
            for &place in &run.places {
                let (first, _) = lives[place].steps.unwrap_or((time, time));
                lives[place].steps = Some((first, time));
            }
        }
        for (time, run) in self.runs.iter().enumerate() {
            let len = trace.moments[run.moment].scratch;
            if len > 0 {
                lives.push(Life { len, steps: Some((time, time)) });
            }
        }
        arena::assign(&lives).1
    }

    /// The draft in this order, with the scratch memory of each step in the arena.
    pub fn apply(&self, mut draft: Draft, trace: &Trace) -> Draft {
        let copies = self.copies.iter().map(|&buffer| trace.buffers[buffer].len);
        draft.buffers.extend(copies);
        let (mut steps, mut forward) = (Vec::with_capacity(self.runs.len()), 0);
        for run in &self.runs {
            let moment = &trace.moments[run.moment];
            if run.moment == trace.loss {
                forward = steps.len();
            }
            let Some(index) = moment.step else { continue };
            let Step { mut kernel, node, .. } = draft.steps[index].clone();
            kernel.visit(&mut |place| {
                let at = moment.touched.binary_search(&arena::buffer(*place));
                let at = at.expect("the trace has all places of a step");
                *place = arena::moved(*place, run.places[at]);
            });
            let scratch = (moment.scratch > 0).then(|| {
                draft.buffers.push(moment.scratch);
                let shared = arena::place(draft.buffers.len() - 1);
                let local = if moment.shared < moment.scratch { shared + moment.shared } else { shared };
                [shared, local]
            });
            steps.push(Step { kernel, node, scratch });
        }
        Draft { steps, forward, ..draft }
    }
}
