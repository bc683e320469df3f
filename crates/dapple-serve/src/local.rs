//! A page for the person at this machine: the listener with the checks that all such pages share.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::access::origin::OriginRules;
use crate::bounds::shares::Shares;
use crate::config::Limits;
use crate::error::ServeError;
use crate::listen::{Bounds, accept};

/// The time for in-flight requests at shutdown.
const FAREWELL: Duration = Duration::from_secs(2);

/// Connections of all the pages that one person has open.
const CONNECTIONS: usize = 64;

/// A listener for pages of this machine. It refuses requests that other sites' pages send, bounds the connections, and forbids that
/// answers are embedded elsewhere or taken for another kind than they are.
pub struct LocalListener {
    listener: TcpListener,
    bounds: Bounds,
    guard: Guard,
}

/// The checks of requests, and the policy of pages.
#[derive(Clone)]
struct Guard {
    origins: Arc<OriginRules>,
    policy: HeaderValue,
}

impl LocalListener {
    /// Listens. `policy` is the content security policy of answers that name none.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub async fn bind(address: SocketAddr, policy: &'static str) -> Result<Self, ServeError> {
        let listener =
            TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
        // The bodies of requests are bounded by their readers.
        let limits =
            Limits { connections: CONNECTIONS, body_bytes: 0, memory_bytes: 1 << 20, ..Limits::default() };
        let bounds =
            Bounds { shares: Arc::new(Shares::new(&limits)?), pace: limits.pace(), farewell: FAREWELL };
        let origins = Arc::new(OriginRules::new(address, &[], &[]));
        Ok(Self { listener, bounds, guard: Guard { origins, policy: HeaderValue::from_static(policy) } })
    }

    /// The address that it listens on; for port 0, with the port that was assigned.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready; then accepts no further connections, and ends when the in-flight requests are answered
    /// or two seconds have passed.
    pub async fn run(self, router: Router, shutdown: impl Future<Output = ()>) {
        let Self { listener, bounds, guard } = self;
        let router = router.layer(middleware::from_fn_with_state(guard, check));
        accept(listener, router, bounds, shutdown).await;
    }
}

/// Refuses requests of other sites' pages, and forbids embedding and type sniffing.
async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.origins.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(guard.policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}
