//! Noticing what other programs do to the folder.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dapple_base::contain;
use dapple_serve::ServeError;

use crate::error::Result;

/// The time between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// A thread that looks at the folder every two seconds, until this is dropped.
pub(crate) struct Watcher {
    ended: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread.
    pub fn start(look: impl Fn() + Send + 'static) -> Result<Self> {
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let own = Arc::clone(&ended);
        let watch = move || {
            let (flag, wake) = &*own;
            let mut is_over = flag.lock().unwrap_or_else(PoisonError::into_inner);
            while !*is_over {
                is_over = wake.wait_timeout(is_over, EVERY).unwrap_or_else(PoisonError::into_inner).0;
                if *is_over {
                    return;
                }
                drop(is_over);
                // A bug in one look does not end the others.
                let _ = contain(&look);
                is_over = flag.lock().unwrap_or_else(PoisonError::into_inner);
            }
        };
        let thread =
            thread::Builder::new().name("watcher".into()).spawn(watch).map_err(ServeError::Runtime)?;
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let (flag, wake) = &*self.ended;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
