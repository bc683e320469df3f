//! The threads of an engine.

use dapple_graph::EngineError;
use std::sync::Arc;

/// A thread pool, which is left alone where its work is started inside another pool of its size.
#[derive(Clone)]
pub(crate) struct Pool(Arc<rayon::ThreadPool>);

impl Pool {
    /// A pool of that many threads; by default as many as the rayon pool that this is called in has, or as there are
    /// cores.
    pub fn new(threads: Option<usize>) -> Result<Self, EngineError> {
        let threads = match threads {
            Some(0) => return Err(EngineError::Input("the number of threads must be at least 1".into())),
            Some(threads) => threads,
            None if rayon::current_thread_index().is_some() => rayon::current_num_threads(),
            None => cores(),
        };
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(thread_name).build().map_err(
                |e| EngineError::Device {
                    device: "cpu".into(),
                    why: format!("{threads} threads cannot be started: {e}; use fewer (--threads)"),
                },
            )?;
        Ok(Self(Arc::new(pool)))
    }

    /// A pool that others work in too.
    pub fn shared(pool: Arc<rayon::ThreadPool>) -> Self {
        Self(pool)
    }

    pub fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Runs `work` once on each thread; the results in the order of the threads.
    pub fn on_each<R: Send>(&self, work: impl Fn() -> R + Sync) -> Vec<R> {
        self.0.broadcast(|_| work())
    }

    /// Runs `work` on a pool of [`Pool::threads`] threads: the one that this is called in if it has that size, else its
    /// own.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let inside = rayon::current_thread_index().is_some();
        if inside && rayon::current_num_threads() == self.threads() { work() } else { self.0.install(work) }
    }
}

/// The name of a pool's thread.
pub(crate) fn thread_name(index: usize) -> String {
    format!("dapple-cpu-{index}")
}

/// Physical cores, as far as affinity and control groups allow: a second thread on a core shares its vector units.
pub fn cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    allowed.min(num_cpus::get_physical().max(1))
}
