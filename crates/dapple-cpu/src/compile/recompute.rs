//! The fourth pass trades time for memory: feature maps of the forward pass are dropped and computed again in the
//! backward pass (gradient checkpointing, Chen et al. 2016).
//!
//! The forward steps are cut into segments. Maps that only steps of their own segment read are dropped; the first
//! backward step that wants one gets the steps that make it once more in front of it, from the maps that were kept.
//! Steps give the same bits each time, and so do the gradients. Statistics of batch norms are always kept: their
//! steps, which move the running ones, run once.
//!
//! Of several cuts, and with as many as possible of the costliest maps kept after all, the plan is the one that fits
//! with the least work.

use super::arena;
use super::draft::Draft;
use crate::plan::{Budget, Step};
use dapple_graph::Graph;
use dapple_graph::summary::node_multiply_adds;

/// Numbers of segments that are tried.
const SEGMENTS: [usize; 13] = [2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48];

/// The draft itself if it fits the budget or there is no backward pass; else one that computes maps again, and fits
/// if any does.
pub(super) fn within(mut draft: Draft, graph: &Graph, budget: Budget) -> Draft {
    let scratch = draft.scratch();
    let room = budget.values.saturating_sub(scratch.shared + budget.threads * scratch.local);
    let len = draft.arena_len();
    if draft.forward == draft.steps.len() || len <= room {
        return draft;
    }
    let maps = Maps::of(&mut draft, graph);
    let found = SEGMENTS.map(|count| maps.fitting(&draft, &maps.dropped(&draft.buffers, count), room));
    let whole = Candidate { draft, len, work: 0 };
    let best =
        found.into_iter().fold(whole, |best, now| if now.better_than(&best, room) { now } else { best });
    best.draft
}

/// A draft with its costs.
struct Candidate {
    draft: Draft,
    len: usize,
    work: u64,
}

impl Candidate {
    fn better_than(&self, other: &Self, room: usize) -> bool {
        match (self.len <= room, other.len <= room) {
            (true, true) => (self.work, self.len) < (other.work, other.len),
            (false, false) => self.len < other.len,
            (fits, _) => fits,
        }
    }
}

/// The feature maps of the forward pass.
struct Maps {
    /// For each buffer of the draft the forward steps that write it; none for buffers that must not be dropped.
    makers: Vec<Vec<usize>>,
    /// Last forward step that touches each buffer.
    last_use: Vec<usize>,
    /// Work of each forward step, about in multiply-adds.
    work: Vec<u64>,
}

impl Maps {
    fn of(draft: &mut Draft, graph: &Graph) -> Self {
        let count = draft.buffers.len();
        let (mut makers, mut last_use) = (vec![Vec::new(); count], vec![0; count]);
        let mut work = Vec::with_capacity(draft.forward);
        for (i, step) in draft.steps[..draft.forward].iter_mut().enumerate() {
            step.kernel.visit(&mut |place| last_use[arena::buffer(*place)] = i);
            let mut values = 0;
            for place in step.kernel.makes() {
                makers[arena::buffer(place)].push(i);
                values += draft.buffers[arena::buffer(place)] as u64;
            }
            let node = &graph.nodes()[step.node];
            let products = if step.kernel.multiplies() { node_multiply_adds(graph, node) } else { 0 };
            // Reading and writing a value takes about as long as some products.
            work.push(products + 16 * values);
        }
        makers[arena::buffer(draft.input)].clear();
        draft.outputs.iter().for_each(|(_, place)| makers[arena::buffer(*place)].clear());
        Self { makers, last_use, work }
    }

    /// The buffers that only steps of their own segment touch, of `count` segments that write about as much each; those
    /// that save most for their work first. The last segment is left out: the backward pass reads it at once.
    fn dropped(&self, lens: &[usize], count: usize) -> Vec<usize> {
        let mut made = vec![0; self.work.len()];
        for (buffer, makers) in self.makers.iter().enumerate() {
            if let Some(&first) = makers.first() {
                made[first] += lens[buffer];
            }
        }
        let total: usize = made.iter().sum();
        let mut before = 0;
        let segment: Vec<usize> = made
            .iter()
            .map(|len| {
                before += len;
                (before * count / (total + 1)).min(count - 1)
            })
            .collect();
        let within = |buffer: &usize| {
            self.makers[*buffer].first().is_some_and(|&first| {
                segment[first] == segment[self.last_use[*buffer]] && segment[first] + 1 < count
            })
        };
        let mut dropped: Vec<usize> = (0..lens.len()).filter(within).collect();
        let work = |buffer: usize| self.makers[buffer].iter().map(|&step| self.work[step]).sum::<u64>();
        dropped.sort_by_key(|&buffer| (work(buffer) / lens[buffer].max(1) as u64, buffer));
        dropped
    }

    /// As few of `dropped` dropped as fit, all if that does not.
    fn fitting(&self, draft: &Draft, dropped: &[usize], room: usize) -> Candidate {
        let mut best = self.without(draft, dropped);
        let (mut too_few, mut enough) = (0, dropped.len());
        while best.len <= room && enough - too_few > 1 {
            let middle = (too_few + enough) / 2;
            let candidate = self.without(draft, &dropped[..middle]);
            if candidate.len <= room {
                (best, enough) = (candidate, middle);
            } else {
                too_few = middle;
            }
        }
        best
    }

    /// The draft with these buffers computed again in the backward pass.
    fn without(&self, draft: &Draft, dropped: &[usize]) -> Candidate {
        let mut again = Again {
            maps: self,
            forward: &draft.steps[..draft.forward],
            dropped: vec![false; draft.buffers.len()],
            renamed: vec![None; draft.buffers.len()],
            done: vec![false; draft.forward],
            buffers: draft.buffers.clone(),
            steps: draft.steps[..draft.forward].to_vec(),
            work: 0,
        };
        dropped.iter().for_each(|&buffer| again.dropped[buffer] = true);
        for step in &draft.steps[draft.forward..] {
            again.push(step);
        }
        let Again { buffers, steps, work, .. } = again;
        let mut draft = Draft { steps, buffers, ..draft.clone() };
        let len = draft.arena_len();
        Candidate { draft, len, work }
    }
}

/// A draft whose backward pass is being rewritten.
struct Again<'a> {
    maps: &'a Maps,
    forward: &'a [Step],
    dropped: Vec<bool>,
    /// The buffers that dropped ones are computed into again.
    renamed: Vec<Option<usize>>,
    /// Forward steps that are repeated in the backward pass.
    done: Vec<bool>,
    buffers: Vec<usize>,
    steps: Vec<Step>,
    work: u64,
}

impl Again<'_> {
    /// Appends a step, behind the steps that make the dropped buffers that it touches.
    fn push(&mut self, step: &Step) {
        let mut step = step.clone();
        let mut touched = Vec::new();
        step.kernel.visit(&mut |place| touched.push(arena::buffer(*place)));
        for buffer in touched {
            if self.dropped[buffer] && self.renamed[buffer].is_none() {
                self.make(buffer);
            }
        }
        step.kernel.visit(&mut |place| {
            if let Some(renamed) = self.renamed[arena::buffer(*place)] {
                *place = arena::moved(*place, renamed);
            }
        });
        self.steps.push(step);
    }

    /// Appends the steps that make a dropped buffer, which read others of the same segment at most.
    fn make(&mut self, buffer: usize) {
        self.buffers.push(self.buffers[buffer]);
        self.renamed[buffer] = Some(self.buffers.len() - 1);
        for &index in &self.maps.makers[buffer] {
            if !std::mem::replace(&mut self.done[index], true) {
                self.work += self.maps.work[index];
                self.push(&self.forward[index]);
            }
        }
    }
}
