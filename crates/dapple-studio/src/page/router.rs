//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post, put};
use dapple_serve::Problem;

use super::access::guard;
use super::app::{App, BODY_BYTES};
use super::{assets, classes, images, masks, state, stream, trainings, using};

/// Own scripts, styles, images and requests; images that the page makes itself; reports in a frame; nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; font-src 'self'; manifest-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// All routes, for who has the key.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/state", get(state::state))
        .route("/api/events", get(stream::events))
        .route("/api/focus", post(images::focus))
        .route("/api/classes", put(classes::change))
        .route("/api/images", post(images::add))
        .route("/api/images/{id}/picture", get(images::picture))
        .route("/api/images/{id}/mask", get(masks::mask).put(masks::draw))
        .route("/api/images/{id}/accept", post(masks::accept))
        .route("/api/images/{id}/proposal", get(images::proposal))
        .route("/api/images/{id}/uncertainty", get(images::uncertainty))
        .route("/api/trainings", post(trainings::start))
        .route("/api/trainings/{name}", get(trainings::show))
        .route("/api/trainings/{name}/stop", post(trainings::stop))
        .route("/api/trainings/{name}/resume", post(trainings::resume))
        .route("/api/review", get(trainings::review).post(trainings::start_review))
        .route("/api/predict", post(using::predict))
        .route("/api/export", post(using::export_labels))
        .route("/runs/{name}/{*file}", get(trainings::file))
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes other methods; see the Allow header",
            )
        })
        .fallback(assets::asset)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}
