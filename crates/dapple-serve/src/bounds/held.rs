//! The resources that a request holds until its answer is sent: a slot and memory. They move with the work, so that a request
//! that its client has abandoned holds them until its work has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use crate::bounds::shares::{HeldMemory, Peer, Permit};
use crate::metrics::Metrics;
use crate::problem::Problem;

/// A slot for a request; dropping it frees the slot.
pub(crate) struct Slot {
    _permit: Permit,
    metrics: Arc<Metrics>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    /// A slot, or 429 with the time after which the present queue will be done.
    pub fn take(peer: &Peer, metrics: &Arc<Metrics>) -> Result<Self, Problem> {
        let Some(permit) = peer.slot() else { return Err(refused(peer, metrics)) };
        metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Self { _permit: permit, metrics: Arc::clone(metrics) })
    }

    /// Refuses at once, before a body is read, if no slot is free.
    pub fn check(peer: &Peer, metrics: &Metrics) -> Result<(), Problem> {
        if peer.shares().is_full() { Err(refused(peer, metrics)) } else { Ok(()) }
    }
}

fn refused(peer: &Peer, metrics: &Metrics) -> Problem {
    metrics.shed();
    let seconds = metrics.seconds_an_image().unwrap_or(1.0) * peer.shares().slots() as f64;
    let message = if peer.shares().is_full() {
        "too many requests in flight; retry later"
    } else {
        "too many requests in flight from this address; retry later"
    };
    Problem::later(StatusCode::TOO_MANY_REQUESTS, message, (seconds.ceil() as u64).clamp(1, 60))
}

/// A slot, and memory.
pub(crate) struct Held {
    _slot: Slot,
    pub memory: HeldMemory,
}

impl Held {
    pub fn new(slot: Slot, memory: HeldMemory) -> Self {
        Self { _slot: slot, memory }
    }
}
