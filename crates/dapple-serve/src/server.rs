//! A server: models, address and routes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::access::origin::{OriginRules, can_be_host, fault_of_origin};
use crate::api::router;
use crate::app::App;
use crate::bounds::shares::Shares;
use crate::config::ServeConfig;
use crate::error::ServeError;
use crate::listen::{Bounds, accept};
use crate::metrics::Metrics;
use crate::models::{ModelWorker, ServedModel};
use crate::request::fetch::Fetcher;

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    app: Arc<App>,
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
        for origin in &config.cors {
            if let Some(fault) = fault_of_origin(origin) {
                return Err(ServeError::Settings(format!("--cors `{origin}` can never match: {fault}")));
            }
        }
        if let Some(name) = config.host_names.iter().find(|name| !can_be_host(name)) {
            return Err(ServeError::Settings(format!(
                "--host-names `{name}` can never match: give names as segment.example.org, without scheme and path"
            )));
        }
        let metrics = Arc::new(Metrics::new());
        let shares = Arc::new(Shares::new(&config.limits)?);
        let fetcher = Fetcher::new(&config.url_hosts, &config.limits)?;
        let start = |served| ModelWorker::start(served, &config.limits, &metrics).map(Arc::new);
        let models = models.into_iter().map(start).collect::<Result<_, _>>()?;
        let address = config.address;
        let listener =
            TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
        let app = App {
            shares,
            origins: OriginRules::new(address, &config.host_names, &config.cors),
            fetcher,
            workers: Arc::new(Semaphore::new(config.limits.workers.max(1))),
            ending: AtomicBool::new(false),
            metrics,
            models,
            config,
        };
        Ok(Self { listener, app: Arc::new(app) })
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
        let Self { listener, app } = self;
        let bounds =
            Bounds { shares: Arc::clone(&app.shares), pace: app.pace(), farewell: app.config.limits.time };
        let router = router(Arc::clone(&app));
        let ending = async {
            shutdown.await;
            app.ending.store(true, Ordering::SeqCst);
        };
        accept(listener, router, bounds, ending).await;
    }
}
