//! The process of a server: its runtime, and the signals that end it.

use std::future::Future;
use std::time::Duration;

use crate::error::ServeError;
use crate::log::log;

/// Threads that may block; the workers of the limits bound their use.
const BLOCKING_THREADS: usize = 64;

/// Some supervisors send a signal to a process and to its group, so that it arrives twice.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

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

/// Listens, from this call on, for Ctrl-C, for a supervisor's request to terminate and for the loss of the terminal; the future
/// is ready when one has come. The next one ends the process at once, with the exit code of a shell for that signal.
/// Call it in a runtime, before announcing the address: a signal that comes earlier ends the program immediately.
///
/// # Errors
/// [`ServeError::Runtime`].
pub fn interrupted() -> Result<impl Future<Output = ()>, ServeError> {
    let mut signals = Signals::listen()?;
    Ok(async move {
        signals.next().await;
        tokio::spawn(async move {
            tokio::time::sleep(SAME_SIGNAL).await;
            // A signal that came during the sleep is still told, but it is the same one.
            signals.forget().await;
            let code = signals.next().await;
            log("stopped before all requests were answered");
            std::process::exit(code);
        });
    })
}

#[cfg(unix)]
struct Signals([(tokio::signal::unix::Signal, i32); 3]);

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, ServeError> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind: SignalKind| {
            let code = 128 + kind.as_raw_value();
            signal(kind).map(|signal| (signal, code)).map_err(ServeError::Runtime)
        };
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Waits for a signal; gives its exit code.
    async fn next(&mut self) -> i32 {
        let [(interrupt, i), (terminate, t), (hangup, h)] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => *i,
            _ = terminate.recv() => *t,
            _ = hangup.recv() => *h,
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC, tokio::signal::windows::CtrlClose);

#[cfg(windows)]
impl Signals {
    fn listen() -> Result<Self, ServeError> {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        Ok(Self(ctrl_c().map_err(ServeError::Runtime)?, ctrl_close().map_err(ServeError::Runtime)?))
    }

    /// Waits for a signal; gives the exit code.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
        130
    }
}

impl Signals {
    /// Drops those that have come already.
    async fn forget(&mut self) {
        while tokio::time::timeout(Duration::ZERO, self.next()).await.is_ok() {}
    }
}
