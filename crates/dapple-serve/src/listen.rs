//! The listener and its connections.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::bounds::pace::{Pace, Paced};
use crate::bounds::shares::{Peer, Permit, Shares};

/// The longest time for the head of a request; a connection that stays silent longer is closed.
const HEAD_TIME: Duration = Duration::from_secs(15);

/// The longest head of a request, and bytes of a response that wait to be sent.
const BUFFER_BYTES: usize = 64 << 10;

/// The pause after the system has refused a connection, for lack of a resource.
const PAUSE: Duration = Duration::from_millis(50);

/// The answer to a connection of an address that has too many.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\n\
    Content-Type: application/json\r\nContent-Length: 51\r\n\r\n{\"error\":\"too many connections from this address\"}\n";

/// The limits of a listener.
pub(crate) struct Bounds {
    pub shares: Arc<Shares>,
    pub pace: Pace,
    /// The time for in-flight requests at shutdown.
    pub farewell: Duration,
}

/// Answers until `shutdown` is ready; then accepts no further connections, and ends when the in-flight requests are answered
/// or their time is over. Requests carry their [`Peer`].
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) {
    let Bounds { shares, pace, farewell } = bounds;
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(BUFFER_BYTES);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            shares.has_room_for_a_connection().await;
            listener.accept().await
        };
        tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => {
                let Ok((stream, address)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let Some((peer, permit)) = admit(&shares, &stream, address.ip()) else { continue };
                let inner = TowerToHyperService::new(router.clone());
                let service = service_fn(move |mut request: hyper::Request<Incoming>| {
                    request.extensions_mut().insert(Arc::clone(&peer));
                    inner.call(request)
                });
                let stream = TokioIo::new(Paced::new(stream, pace));
                let connection = graceful.watch(builder.serve_connection(stream, service));
                tokio::spawn(async move {
                    // A peer may close the connection at any time.
                    let _ = connection.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(farewell, graceful.shutdown()).await;
}

/// The peer of a connection, unless its address has too many.
fn admit(shares: &Arc<Shares>, stream: &TcpStream, address: IpAddr) -> Option<(Arc<Peer>, Permit)> {
    let peer = shares.peer(address);
    let permit = peer.connection();
    if permit.is_none() {
        // A message that does not fit into the empty buffer of a new connection is not worth waiting for.
        let _ = stream.try_write(TOO_MANY);
    }
    // Small responses should not be delayed; a connection without this is merely slower.
    let _ = stream.set_nodelay(true);
    Some((peer, permit?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_too_many_connections_has_its_length() {
        let text = std::str::from_utf8(TOO_MANY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
