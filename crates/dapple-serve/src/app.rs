//! The state that the routes share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use crate::access::origin::OriginRules;
use crate::bounds::pace::Pace;
use crate::bounds::shares::Shares;
use crate::config::ServeConfig;
use crate::metrics::Metrics;
use crate::models::ModelWorker;
use crate::request::fetch::Fetcher;

/// The models, the limits and the counts of a server.
pub(crate) struct App {
    pub config: ServeConfig,
    /// At least one.
    pub models: Vec<Arc<ModelWorker>>,
    pub metrics: Arc<Metrics>,
    pub shares: Arc<Shares>,
    pub origins: OriginRules,
    pub fetcher: Fetcher,
    /// Decoding and encoding at a time.
    pub workers: Arc<Semaphore>,
    /// Whether it takes no further connections.
    pub ending: AtomicBool,
}

impl App {
    /// The pace that is asked of clients.
    pub fn pace(&self) -> Pace {
        self.config.limits.pace()
    }
}
