//! Threads: a fixed pool, tasks by index.
//!
//! The number of tasks and what each does never depend on the number of threads, and partial sums are added
//! in the order of the tasks; so results are the same bits on any number of threads.

use crate::busy;
use rayon::prelude::*;
use std::time::Instant;

/// Runs `task(0) … task(count - 1)` on the threads of the current pool.
pub(crate) fn for_each(count: usize, task: impl Fn(usize) + Sync + Send) {
    let recorded = busy::is_recorded();
    let task = |index| {
        let start = recorded.then(Instant::now);
        task(index);
        if let Some(start) = start {
            busy::note(start);
        }
    };
    if count <= 1 || rayon::current_num_threads() == 1 {
        (0..count).for_each(task);
    } else {
        (0..count).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Index of the running thread in the current pool, below the pool's size.
pub(crate) fn thread() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}

/// Splits `len` items into at most `parts` runs of nearly equal length; the run of part `i`.
pub(crate) fn run(len: usize, parts: usize, i: usize) -> std::ops::Range<usize> {
    let at = |i: usize| len * i / parts;
    at(i)..at(i + 1)
}
