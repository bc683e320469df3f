//! The process of a server: its runtime, and the signals that end it.

use std::future::Future;

use crate::error::ServeError;

/// Threads that may block; the workers of the limits bound their use.
const BLOCKING_THREADS: usize = 64;

/// The runtime of a server: one thread per core, and a bounded number of blocking threads.
///
/// # Errors
/// [`ServeError::Runtime`].
pub fn runtime() -> Result<tokio::runtime::Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(ServeError::Runtime)
}

/// Listens, from this call on, for Ctrl-C and for a supervisor's request to terminate; the future is ready when one has come.
/// Call it in a runtime, before announcing the address: a signal that comes earlier ends the program immediately.
///
/// # Errors
/// [`ServeError::Runtime`].
pub fn interrupted() -> Result<impl Future<Output = ()>, ServeError> {
    #[cfg(unix)]
    let (mut ctrl_c, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(ServeError::Runtime);
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    #[cfg(windows)]
    let (mut ctrl_c, mut terminate) = {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        (ctrl_c().map_err(ServeError::Runtime)?, ctrl_close().map_err(ServeError::Runtime)?)
    };
    Ok(async move {
        tokio::select! {
            _ = ctrl_c.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
