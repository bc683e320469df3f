//! Whether the server lives, and whether it takes requests.
//!
//! `/healthz` is for a supervisor that restarts what has died: it fails when a model's thread has ended or is stuck. `/readyz` is for
//! a load balancer: it fails also while the server is full or ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::batcher::Condition;

/// The time limits of requests after which a batch is taken to be stuck.
const STUCK: u32 = 5;

/// The conditions of the models' threads, and whether all are well.
fn models(app: &App) -> (bool, Value) {
    let longest = app.config.limits.time * STUCK;
    let conditions = app.models.iter().map(|model| (&model.name, model.batcher.condition(longest)));
    let mut well = true;
    let named: Map<String, Value> = conditions
        .map(|(name, condition)| {
            well &= condition == Condition::Well;
            (name.clone(), condition.name().into())
        })
        .collect();
    (well, named.into())
}

fn answer(status: &str, models: Value, is_good: bool) -> Response {
    let body = Json(json!({ "status": status, "models": models }));
    match is_good {
        true => body.into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], body).into_response(),
    }
}

/// Liveness.
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Response {
    let (well, models) = models(&app);
    answer(if well { "ok" } else { "failing" }, models, well)
}

/// Readiness.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let (well, models) = models(&app);
    let status = match well {
        false => "failing",
        true if app.ending.load(Ordering::SeqCst) => "ending",
        true if app.shares.is_full() => "full",
        true => "ready",
    };
    answer(status, models, status == "ready")
}
