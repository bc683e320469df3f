//! Access: the key, and slots for in-flight requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, StatusCode, header};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Metrics;
use crate::problem::Problem;

/// Compares the key of a request with the server's, in time that does not depend on where they differ.
pub(crate) fn check_key(wanted: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = wanted else { return Ok(()) };
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.as_bytes());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
    });
    // Slices of different lengths compare at once: the key's length is not a secret.
    match bearer.or_else(|| text("x-api-key")) {
        Some(given) if bool::from(given.ct_eq(wanted.as_bytes())) => Ok(()),
        _ => Err(Problem::unauthorized()),
    }
}

/// Slots for in-flight requests.
pub(crate) struct Room {
    slots: Arc<Semaphore>,
    size: usize,
    metrics: Arc<Metrics>,
}

/// One of the slots; dropping it frees the slot, wherever the work has got to.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    pub fn new(size: usize, metrics: Arc<Metrics>) -> Self {
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Self { slots: Arc::new(Semaphore::new(size)), size, metrics }
    }

    /// A slot, or 429 with the time after which the present queue will be done.
    pub fn enter(&self) -> Result<Slot, Problem> {
        let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.metrics.shed();
            let seconds = self.metrics.seconds_an_image().unwrap_or(1.0) * self.size as f64;
            let message = "too many requests in flight; retry later";
            return Err(Problem::later(
                StatusCode::TOO_MANY_REQUESTS,
                message,
                (seconds.ceil() as u64).clamp(1, 60),
            ));
        };
        self.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Slot { _permit: permit, metrics: Arc::clone(&self.metrics) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let with = |name: &'static str, value: &str| {
            let value = value.parse().expect("a header's value");
            HeaderMap::from_iter([(axum::http::HeaderName::from_static(name), value)])
        };
        assert!(check_key(None, &HeaderMap::new()).is_ok());
        assert!(check_key(Some("secret"), &HeaderMap::new()).is_err());
        for (name, value, right) in [
            ("authorization", "Bearer secret", true),
            ("authorization", "bearer secret", true),
            ("authorization", "secret", false),
            ("authorization", "Bearer secre", false),
            ("authorization", "Bearer secret2", false),
            ("x-api-key", "secret", true),
            ("x-api-key", "", false),
        ] {
            assert_eq!(check_key(Some("secret"), &with(name, value)).is_ok(), right, "{name}: {value}");
        }
    }

    #[test]
    fn a_full_room_lets_in_again_when_someone_leaves() {
        let room = Room::new(2, Arc::new(Metrics::new()));
        let (first, second) = (room.enter(), room.enter());
        assert!(first.is_ok() && second.is_ok() && room.enter().is_err());
        drop(first);
        assert!(room.enter().is_ok());
    }
}
