//! An iterator whose items are made ahead by background threads, in order and in bounded number.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Items `make(i)` for every `i` of a range, in order.
///
/// `next` gives `None` at the end, `Some(None)` (once) where a thread has panicked, and `Some(Some(item))` otherwise.
pub(crate) struct Prefetch<T> {
    shared: Arc<Shared<T>>,
    /// Present without background threads.
    make: Option<Box<dyn Fn(usize) -> T + Send>>,
    workers: Vec<JoinHandle<()>>,
    remaining: Range<usize>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The next item that no thread has begun.
    unclaimed: usize,
    /// Items from this one on may not be begun yet.
    bound: usize,
    ready: BTreeMap<usize, T>,
    /// Set when the consumer is gone or a thread has panicked: nothing more is to be made.
    stopped: bool,
}

impl<T> Shared<T> {
    /// No code panics while it holds the lock, so that a poisoned one is still in order.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

impl<T: Send + 'static> Prefetch<T> {
    /// Makes the items of `range` with `threads` threads (none: each when asked for), at most `ahead` of them waiting or
    /// in the making.
    pub fn new(
        make: impl Fn(usize) -> T + Send + Sync + 'static,
        range: Range<usize>,
        threads: usize,
        ahead: usize,
    ) -> Self {
        let state = State {
            unclaimed: range.start,
            bound: range.start + ahead,
            ready: BTreeMap::new(),
            stopped: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        // More threads than items that may be made at once would only wait.
        let threads = threads.min(ahead).min(range.len());
        if threads == 0 {
            return Self { shared, make: Some(Box::new(make)), workers: Vec::new(), remaining: range };
        }
        let make = Arc::new(make);
        let spawn = |_| {
            let (shared, make, end) = (Arc::clone(&shared), Arc::clone(&make), range.end);
            thread::spawn(move || work(&shared, &*make, end))
        };
        let workers = (0..threads).map(spawn).collect();
        Self { shared, make: None, workers, remaining: range }
    }

    /// How many items are still to come.
    pub fn remaining(&self) -> usize {
        self.remaining.len()
    }

    /// The next item.
    pub fn next(&mut self) -> Option<Option<T>> {
        let i = self.remaining.next()?;
        if let Some(make) = &self.make {
            return Some(Some(make(i)));
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(item) = state.ready.remove(&i) {
                state.bound += 1;
                drop(state);
                self.shared.changed.notify_all();
                return Some(Some(item));
            }
            if state.stopped {
                self.remaining = 0..0;
                return Some(None);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work<T>(shared: &Shared<T>, make: &(dyn Fn(usize) -> T + Sync), end: usize) {
    /// Wakes the consumer, who would wait for ever, when `make` panics.
    struct StopOnPanic<'a, T>(&'a Shared<T>);
    impl<T> Drop for StopOnPanic<'_, T> {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.stop();
            }
        }
    }
    let _guard = StopOnPanic(shared);

    loop {
        let mut state = shared.lock();
        while !state.stopped && state.unclaimed < end && state.unclaimed >= state.bound {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped || state.unclaimed >= end {
            return;
        }
        let i = state.unclaimed;
        state.unclaimed += 1;
        drop(state);
        let item = make(i);
        shared.lock().ready.insert(i, item);
        shared.changed.notify_all();
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.shared.stop();
        for worker in self.workers.drain(..) {
            // A panic was reported on standard error and to the consumer already.
            let _ = worker.join();
        }
    }
}

impl<T> fmt::Debug for Prefetch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch")
            .field("remaining", &self.remaining)
            .field("threads", &self.workers.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn items_come_in_order_and_never_too_many_ahead() {
        const AHEAD: usize = 3;
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&begun);
        let make = move |i: usize| {
            counter.fetch_add(1, Ordering::SeqCst);
            // Later items are faster than earlier ones.
            thread::sleep(std::time::Duration::from_millis(if i.is_multiple_of(2) { 3 } else { 0 }));
            i
        };
        let mut items = Prefetch::new(make, 5..40, 8, AHEAD);
        for (taken, expected) in (5..40).enumerate() {
            assert!(begun.load(Ordering::SeqCst) <= taken + AHEAD);
            assert_eq!(items.next(), Some(Some(expected)));
        }
        assert_eq!(items.next(), None);
    }

    #[test]
    fn a_panic_in_a_thread_ends_the_items() {
        let make = |i: usize| {
            assert!(i != 2, "this panic is part of the test");
            i
        };
        let items: Vec<_> = {
            let mut prefetch = Prefetch::new(make, 0..100, 2, 2);
            std::iter::from_fn(move || prefetch.next()).collect()
        };
        assert_eq!(items.last(), Some(&None));
        assert!(items.len() <= 3);
    }
}
