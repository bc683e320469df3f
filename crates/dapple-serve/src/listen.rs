//! The listener and its connections.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The longest time for the head of a request; a connection that stays silent longer is closed.
const HEAD_TIME: Duration = Duration::from_secs(15);

/// The pause after the system has refused a connection, for lack of a resource.
const PAUSE: Duration = Duration::from_millis(50);

/// The limits of a listener.
pub(crate) struct Bounds {
    /// Connections at a time, at least one.
    pub connections: usize,
    /// The time for in-flight requests at shutdown.
    pub farewell: Duration,
}

impl Default for Bounds {
    /// For a few people: 64 connections, two seconds.
    fn default() -> Self {
        Self { connections: 64, farewell: Duration::from_secs(2) }
    }
}

/// Answers until `shutdown` is ready; then accepts no further connections, and ends when the in-flight requests are answered
/// or their time is over.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) {
    let connections = Arc::new(Semaphore::new(bounds.connections.max(1)));
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // Never closed.
            let permit = Arc::clone(&connections).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        tokio::select! {
            () = &mut shutdown => break,
            (accepted, permit) = accepted => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                // Small responses should not be delayed; a connection without this is merely slower.
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(router.clone());
                let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async move {
                    // A peer may close the connection at any time.
                    let _ = connection.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(bounds.farewell, graceful.shutdown()).await;
}
