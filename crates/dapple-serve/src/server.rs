//! The listener, its connections, and the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use dapple_base::InputFault;
use dapple_model::ModelError;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::api::{App, router};
use crate::config::Config;
use crate::guard::Room;
use crate::metrics::Metrics;
use crate::models::{Model, ServedModel};

/// The longest time for the head of a request; a connection that says nothing for longer is closed.
const HEAD_TIME: Duration = Duration::from_secs(15);

/// How long to wait after the system has refused a connection, which it does when it has no more of something.
const PAUSE: Duration = Duration::from_millis(50);

/// Threads that may block; the workers of the limits bound what they do.
const BLOCKING_THREADS: usize = 64;

/// Why a server cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Settings that make no server.
    #[error("{0}")]
    Settings(String),
    /// A model that cannot be served.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The address cannot be listened on.
    #[error("{address}: cannot be listened on: {source}; choose another --port, or end what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The runtime cannot be started.
    #[error("the server's threads cannot be started: {0}")]
    Runtime(std::io::Error),
}

impl InputFault for ServeError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Model(error) => error.is_input_fault(),
            Self::Settings(_) | Self::Listen { .. } => true,
            Self::Runtime(_) => false,
        }
    }
}

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    router: Router,
    config: Config,
}

impl Server {
    /// Starts the models' threads and listens.
    ///
    /// # Errors
    /// [`ServeError`]; models need names of their own, and there must be at least one.
    pub async fn bind(models: Vec<ServedModel>, config: Config) -> Result<Self, ServeError> {
        if models.is_empty() {
            return Err(ServeError::Settings("no model: give at least one".into()));
        }
        for (index, model) in models.iter().enumerate() {
            if models[..index].iter().any(|other| other.name == model.name) {
                let name = &model.name;
                return Err(ServeError::Settings(format!(
                    "two models are called `{name}`; name them NAME=FILE"
                )));
            }
        }
        if config.api_key.as_ref().is_some_and(String::is_empty) {
            return Err(ServeError::Settings("the API key is empty; give one, or none".into()));
        }
        if let Some(bad) = config.cors.iter().find(|origin| !is_origin(origin)) {
            return Err(ServeError::Settings(format!(
                "`{bad}` is no origin; give them as https://example.org"
            )));
        }
        let metrics = Arc::new(Metrics::new());
        let start = |served| Model::start(served, &config.limits, &metrics).map(Arc::new);
        let models = models.into_iter().map(start).collect::<Result<_, _>>()?;
        let address = config.address;
        let listener =
            TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
        let app = App {
            room: Room::new(config.limits.queue, Arc::clone(&metrics)),
            workers: Arc::new(Semaphore::new(config.limits.workers.max(1))),
            metrics,
            models,
            config: config.clone(),
        };
        Ok(Self { listener, router: router(Arc::new(app)), config })
    }

    /// Where it listens; of port 0, which one it became.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready; then takes no more connections, and ends when the requests on their way are
    /// answered, or the time for a request is over.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, router, config } = self;
        let bounds = Bounds { connections: config.limits.connections, farewell: config.limits.time };
        accept(listener, router, bounds, shutdown).await;
    }
}

/// What a listener takes.
pub(crate) struct Bounds {
    /// Connections at a time, at least one.
    pub connections: usize,
    /// How long the requests on their way have at the end.
    pub farewell: Duration,
}

impl Default for Bounds {
    /// For a few people: 64 connections, two seconds.
    fn default() -> Self {
        Self { connections: 64, farewell: Duration::from_secs(2) }
    }
}

/// Answers until `shutdown` is ready; then takes no more connections, and ends when the requests on their way are answered
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
                // Small answers are not to wait for more; a connection without this is slower, no worse.
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(router.clone());
                let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async move {
                    // A peer that breaks off is its own affair.
                    let _ = connection.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(bounds.farewell, graceful.shutdown()).await;
}

/// Whether a text is a scheme and a host, as browsers name origins.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains('/') && host.bytes().all(|b| b.is_ascii_graphic())
    })
}

/// What a server runs on: as many threads as there are cores, and no more of those that may block than it needs.
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

/// Listens, from this call on, for the request to end: Ctrl-C, or a supervisor's request to terminate. What it returns
/// is ready when one has come. To be called in a runtime, before anyone is told that the program is there: a request
/// that comes earlier ends the program as the system does.
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
