//! Ranks that are threads of one process, for tests and for programs that bring their own threads.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::group::{Ranks, RanksError};

/// What a rank gives in a meeting: bytes for each rank, or for all alike.
type Given = Vec<Vec<u8>>;

/// A rank that is a thread. When it is dropped, the others cannot meet any more.
#[derive(Debug)]
pub struct ThreadRank {
    rank: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Meetings so far.
    meetings: u64,
    /// What the ranks have given in the meeting that is under way.
    given: Vec<Option<Given>>,
    /// What they gave in the one before. It is replaced when all have come to the next one, so that all have seen it.
    latest: Arc<Vec<Given>>,
    ended: Option<String>,
}

/// So many ranks that are threads, in their order.
///
/// ```
/// use dapple_base::{Ranks, thread_ranks};
/// let sums: Vec<f64> = std::thread::scope(|scope| {
///     let ranks = thread_ranks(3).into_iter();
///     let threads: Vec<_> = ranks
///         .map(|rank| {
///             scope.spawn(move || {
///                 let mut values = [1.0 + rank.rank() as f64];
///                 rank.sum_f64(&mut values).map(|()| values[0])
///             })
///         })
///         .collect();
///     threads.into_iter().map(|thread| thread.join().expect("it does not panic").expect("all meet")).collect()
/// });
/// assert_eq!(sums, [6.0; 3]);
/// ```
pub fn thread_ranks(size: usize) -> Vec<ThreadRank> {
    let state = State { meetings: 0, given: vec![None; size], latest: Arc::new(Vec::new()), ended: None };
    let shared = Arc::new(Shared { size, state: Mutex::new(state), changed: Condvar::new() });
    (0..size).map(|rank| ThreadRank { rank, shared: Arc::clone(&shared) }).collect()
}

impl Shared {
    /// No code panics while it holds the lock, so that a poisoned one is still in order.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, message: String) {
        self.lock().ended.get_or_insert(message);
        self.changed.notify_all();
    }
}

impl ThreadRank {
    /// Gives something, waits for all others, and returns what each gave.
    fn meet(&self, given: Given) -> Result<Arc<Vec<Given>>, RanksError> {
        let mut state = self.shared.lock();
        if let Some(message) = &state.ended {
            return Err(RanksError(message.clone()));
        }
        state.given[self.rank] = Some(given);
        if state.given.iter().all(Option::is_some) {
            state.latest = Arc::new(state.given.iter_mut().filter_map(Option::take).collect());
            state.meetings += 1;
            self.shared.changed.notify_all();
            return Ok(Arc::clone(&state.latest));
        }
        let meeting = state.meetings;
        while state.meetings == meeting {
            if let Some(message) = &state.ended {
                return Err(RanksError(message.clone()));
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Arc::clone(&state.latest))
    }
}

impl Ranks for ThreadRank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size
    }

    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
        let met = self.meet(vec![bytes.to_vec()])?;
        Ok(met.iter().map(|given| given.concat()).collect())
    }

    fn exchange(&self, parts: &[&[u8]], lengths: &[usize]) -> Result<Vec<Vec<u8>>, RanksError> {
        let met = self.meet(parts.iter().map(|part| part.to_vec()).collect())?;
        let mine = met.iter().map(|given| given.get(self.rank).cloned().unwrap_or_default());
        let mine: Vec<Vec<u8>> = mine.collect();
        match mine.iter().zip(lengths).position(|(bytes, length)| bytes.len() != *length) {
            None => Ok(mine),
            Some(rank) => {
                let message = format!(
                    "rank {rank} gave {} bytes where rank {} takes {}: the ranks are not at the same place",
                    mine[rank].len(),
                    self.rank,
                    lengths[rank]
                );
                self.shared.end(message.clone());
                Err(RanksError(message))
            }
        }
    }

    fn end(&self, message: &str, _: u8) {
        self.shared.end(message.to_owned());
    }
}

impl Drop for ThreadRank {
    fn drop(&mut self) {
        self.shared.end(format!("rank {} has ended", self.rank));
    }
}
