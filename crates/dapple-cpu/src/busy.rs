//! The times at which the threads of a pool work on tasks, recorded on demand. Each thread keeps its own, so that threads that
//! are not recorded pay for a look at one value a kernel.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// From the start of a task, or of several without a pause, to the end.
pub(crate) type Span = [Instant; 2];

/// Tasks with shorter pauses between them are one span.
const PAUSE: Duration = Duration::from_micros(2);

thread_local! {
    static SPANS: RefCell<Option<Vec<Span>>> = const { RefCell::new(None) };
}

/// Begins to record this thread.
pub(crate) fn begin() {
    SPANS.set(Some(Vec::new()));
}

/// Ends the recording of this thread, and returns it.
pub(crate) fn end() -> Vec<Span> {
    SPANS.take().unwrap_or_default()
}

/// Whether this thread is recorded.
pub(crate) fn is_recorded() -> bool {
    SPANS.with_borrow(Option::is_some)
}

/// Notes that this thread worked from then on until now.
pub(crate) fn note(start: Instant) {
    let end = Instant::now();
    SPANS.with_borrow_mut(|spans| {
        let Some(spans) = spans else { return };
        match spans.last_mut() {
            Some(last) if last[1] <= start && start - last[1] < PAUSE => last[1] = end,
            _ => spans.push([start, end]),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_recorded_between_begin_and_end_only() {
        note(Instant::now());
        assert!(!is_recorded());
        begin();
        assert!(is_recorded());
        let start = Instant::now();
        std::thread::sleep(2 * PAUSE);
        note(start);
        std::thread::sleep(2 * PAUSE);
        note(Instant::now());
        let spans = end();
        assert_eq!(spans.len(), 2);
        assert!(spans[0][0] == start && spans[0][1] < spans[1][0]);
        assert!(!is_recorded() && end().is_empty());
    }
}
