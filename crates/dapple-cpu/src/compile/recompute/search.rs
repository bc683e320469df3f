//! The limit of [`simulate`] whose schedule fits a budget with the least work.

use super::schedule::Schedule;
use super::simulate::simulate;
use super::trace::Trace;
use crate::compile::draft::Draft;
use crate::plan::Budget;
use dapple_graph::Graph;

/// Limits that are tried follow each other at this distance, from that of no limit down.
const STEP: [usize; 2] = [15, 16];
/// As many limits in a row that cannot be kept end the search.
const FAILURES: usize = 3;
/// Halvings of the distance between the limit that fits and the one before it.
const HALVINGS: usize = 4;

/// The draft itself without a limit; else one whose scratch memory stands in the arena, where other buffers (and other
/// plans) can share it, and that, in training, computes maps again if it must. It fits if any does that is tried, which
/// depends on the draft alone; if none fits, it is the smallest.
pub(in crate::compile) fn within(mut draft: Draft, graph: &Graph, budget: Budget) -> Draft {
    if budget.values == usize::MAX {
        return draft;
    }
    let scratch = draft.scratch();
    let whole = draft.arena_len() + scratch.shared + budget.threads * scratch.local;
    let trains = draft.forward < draft.steps.len();
    let trace = Trace::of(&mut draft, graph, budget.threads);
    let room = if trains { budget.values } else { usize::MAX };
    match search(&trace, room) {
        // The same maps in more memory, because of gaps.
        Some(found) if whole <= budget.values && (found.len > budget.values || found.schedule.work > 0) => {
            draft
        }
        Some(found) if found.len < whole || whole <= budget.values => found.schedule.apply(draft, &trace),
        _ => draft,
    }
}

/// A schedule with the length of its arena.
struct Candidate {
    schedule: Schedule,
    len: usize,
}

fn candidate(trace: &Trace, limit: usize) -> Option<Candidate> {
    let schedule = simulate(trace, limit)?;
    Some(Candidate { len: schedule.arena_len(trace), schedule })
}

/// The candidate that fits with the least work, or the smallest of all.
fn search(trace: &Trace, room: usize) -> Option<Candidate> {
    let mut smallest = candidate(trace, usize::MAX)?;
    let mut before = smallest.schedule.peak;
    let mut failures = 0;
    while smallest.len > room && failures < FAILURES && before >= STEP[1] {
        let limit = before / STEP[1] * STEP[0];
        match candidate(trace, limit) {
            Some(found) if found.len <= room => return Some(refined(trace, room, [limit, before], found)),
            Some(found) => {
                failures = 0;
                if found.len < smallest.len {
                    smallest = found;
                }
            }
            None => failures += 1,
        }
        before = limit;
    }
    Some(smallest)
}

/// A candidate with less work than `found`, from a limit between the one that it keeps and a larger one.
fn refined(trace: &Trace, room: usize, [mut fits, mut large]: [usize; 2], mut found: Candidate) -> Candidate {
    for _ in 0..HALVINGS {
        let middle = fits.midpoint(large);
        match candidate(trace, middle).filter(|candidate| candidate.len <= room) {
            Some(better) => {
                fits = middle;
                if better.schedule.work < found.schedule.work {
                    found = better;
                }
            }
            None => large = middle,
        }
    }
    found
}
