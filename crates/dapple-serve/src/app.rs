//! The state that the routes share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::ServeConfig;
use crate::guard::Room;
use crate::metrics::Metrics;
use crate::models::ModelWorker;

/// The models, the limits and the counts of a server.
pub(crate) struct App {
    pub config: ServeConfig,
    /// At least one.
    pub models: Vec<Arc<ModelWorker>>,
    pub metrics: Arc<Metrics>,
    pub room: Room,
    /// Decoding and encoding at a time.
    pub workers: Arc<Semaphore>,
}
