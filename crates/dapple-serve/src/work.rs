//! Work that takes time, on blocking threads; its panics are errors of one request.

use std::sync::Arc;

use dapple_base::contain;
use tokio::sync::Semaphore;

use crate::log::log;
use crate::problem::Problem;

/// Runs on a blocking thread, at most as many at a time as there are workers.
pub(crate) async fn working<T: Send + 'static>(
    workers: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let permit = Arc::clone(workers).acquire_owned().await.map_err(|_| Problem::internal())?;
    aside(move || {
        let result = work();
        drop(permit);
        result
    })
    .await
}

/// Runs work on a blocking thread; a panic in it is an error of this request, which the log has.
///
/// # Errors
/// Those of the work, and [`Problem::internal`] for a panic.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let contained = move || {
        contain(work).unwrap_or_else(|panicked| {
            log(format_args!("error: a request failed by a bug in dapple: {panicked}"));
            Err(Problem::internal())
        })
    };
    tokio::task::spawn_blocking(contained).await.map_err(|_| Problem::internal())?
}
