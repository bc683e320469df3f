//! The routes.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tower_http::cors::CorsLayer;

use crate::access::key::check_key;
use crate::app::App;
use crate::config::ServeConfig;
use crate::health::{healthz, readyz};
use crate::predict::predict;
use crate::problem::Problem;
use crate::{openapi, page};

/// All routes with their middleware.
pub(crate) fn router(app: Arc<App>) -> Router {
    let keyed = Router::new()
        .route("/predict", post(predict))
        .route("/models", get(models))
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), key));
    let open = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route(
        "/openapi.json",
        get(|State(app): State<Arc<App>>| async move { Json(openapi::document(&app)) }),
    );
    let mut router = keyed
        .merge(open)
        .merge(page::routes())
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes other methods; see the Allow header",
            )
        })
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path; see /openapi.json")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), count));
    if let Some(cors) = cors(&app.config) {
        router = router.layer(cors);
    }
    router
        .layer(middleware::from_fn_with_state(Arc::clone(&app), origin))
        .layer(middleware::map_response(headers))
        .with_state(app)
}

/// Allows the pages of the listed origins to use the API; without a list, none.
fn cors(config: &ServeConfig) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = config.cors.iter().filter_map(|origin| origin.parse().ok()).collect();
    let headers = [header::CONTENT_TYPE, header::AUTHORIZATION, HeaderName::from_static("x-api-key")];
    let cors = || CorsLayer::new().allow_methods([Method::GET, Method::POST]).allow_headers(headers);
    (!origins.is_empty()).then(|| cors().allow_origin(origins))
}

async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Refuses requests of other sites' pages.
async fn origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.origins.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn key(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check_key(app.config.api_key.as_deref(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    const ROUTES: [&str; 10] = [
        "/predict",
        "/models",
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/",
        "/app.js",
        "/app.css",
        "/examples/{name}",
    ];
    // Arbitrary paths as labels would grow the metrics without bound.
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = ROUTES.into_iter().find(|route| Some(*route) == path).unwrap_or("other");
    let response = next.run(request).await;
    app.metrics.request(route, response.status().as_u16());
    response
}

async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.models.iter().map(|model| model.description.clone()).collect())
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.metrics.text(app.shares.held_bytes());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
