//! A server: models, address and routes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::api::router;
use crate::app::App;
use crate::config::ServeConfig;
use crate::error::ServeError;
use crate::guard::Room;
use crate::listen::{Bounds, accept};
use crate::metrics::Metrics;
use crate::models::{ModelWorker, ServedModel};

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    router: Router,
    config: ServeConfig,
}

impl Server {
    /// Starts the models' threads and listens.
    ///
    /// # Errors
    /// [`ServeError`]; models need names of their own, and there must be at least one.
    pub async fn bind(models: Vec<ServedModel>, config: ServeConfig) -> Result<Self, ServeError> {
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
            return Err(ServeError::Settings("the API key is empty; give a key, or omit it".into()));
        }
        if let Some(bad) = config.cors.iter().find(|origin| !is_origin(origin)) {
            return Err(ServeError::Settings(format!(
                "`{bad}` is not an origin; give origins as https://example.org"
            )));
        }
        let metrics = Arc::new(Metrics::new());
        let start = |served| ModelWorker::start(served, &config.limits, &metrics).map(Arc::new);
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

    /// The address that it listens on; for port 0, with the port that was assigned.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready; then accepts no further connections, and ends when the in-flight requests are
    /// answered, or the time limit of a request is over.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, router, config } = self;
        let bounds = Bounds { connections: config.limits.connections, farewell: config.limits.time };
        accept(listener, router, bounds, shutdown).await;
    }
}

/// Whether a text is a scheme and a host, as browsers name origins.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains('/') && host.bytes().all(|b| b.is_ascii_graphic())
    })
}
