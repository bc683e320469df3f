//! The routes.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use dapple_base::{InputFault, Size};
use dapple_data::{decode_image_bytes, image_size_bytes};
use dapple_predict::PredictError;
use serde_json::{Value, json};
use tower_http::cors::CorsLayer;

use crate::answer::answer;
use crate::app::App;
use crate::batcher::Stopped;
use crate::config::ServeConfig;
use crate::guard::{Slot, check_key};
use crate::problem::Problem;
use crate::request::{Query, drain, image_of};
use crate::{openapi, page};

/// All routes with their middleware.
pub(crate) fn router(app: Arc<App>) -> Router {
    let keyed = Router::new()
        .route("/predict", post(predict))
        .route("/models", get(models))
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), key))
        .layer(DefaultBodyLimit::max(app.config.limits.body_bytes));
    let open = Router::new().route("/healthz", get(healthz)).route(
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
    router.layer(middleware::map_response(headers)).with_state(app)
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

async fn key(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check_key(app.config.api_key.as_deref(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    const ROUTES: [&str; 9] = [
        "/predict",
        "/models",
        "/metrics",
        "/healthz",
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

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.models.iter().map(|model| model.description.clone()).collect())
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text())
}

/// Segments one image. The time limit covers the whole request, including the reading of the body.
async fn predict(
    State(app): State<Arc<App>>,
    query: Result<axum::extract::Query<Query>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let axum::extract::Query(query) = query.map_err(|e| Problem::bad_request(e.body_text()))?;
    let begin = Instant::now();
    let slot = match app.room.enter() {
        Ok(slot) => slot,
        Err(problem) => {
            drain(request, app.config.limits.body_bytes).await;
            return Err(problem);
        }
    };
    let response =
        tokio::time::timeout(app.config.limits.time, within_time(&app, slot, query, request)).await;
    app.metrics.answered(begin.elapsed());
    response.unwrap_or_else(|_| {
        let message = "the request exceeded the server's time limit";
        Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, message, 10))
    })
}

async fn within_time(
    app: &Arc<App>,
    slot: Slot,
    query: Query,
    request: Request,
) -> Result<Response, Problem> {
    let model = match &query.model {
        None => Arc::clone(&app.models[0]),
        Some(name) => app.models.iter().find(|model| &model.name == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = app.models.iter().map(|model| model.name.as_str()).collect();
            Problem::new(
                StatusCode::NOT_FOUND,
                format!("there is no model `{name}`; the models are {}", names.join(", ")),
            )
        })?,
    };
    let wanted = query.wanted(&model.predictor.classes().names)?;
    let bytes = image_of(request).await?;

    // The slot moves with the work: an abandoned request holds it until its work has ended.
    let (predictor, pixels) = (Arc::clone(&model.predictor), app.config.limits.pixels);
    let (slot, image, prepared) = working(app, move || {
        let size = image_size_bytes(&bytes, "the image").map_err(image_problem)?;
        if size.pixels() > pixels {
            let Size { height, width } = size;
            let message =
                format!("the image has {width} x {height} pixels; this server accepts at most {pixels}");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        let image =
            decode_image_bytes(&bytes, "the image", predictor.channels().into()).map_err(image_problem)?;
        let prepared = predictor.prepare(&image).map_err(|e| predict_problem(&e))?;
        Ok((slot, image, prepared))
    })
    .await?;
    let predicted = model.batcher.predict(prepared).await.map_err(|Stopped| Problem::internal())?;
    let prediction = predicted.map_err(|e| predict_problem(&e))?.with_threshold(wanted.threshold);
    working(app, move || {
        let classes = model.predictor.classes();
        let response =
            answer(&model.name, classes, &image, &prediction, &wanted).map_err(|e| predict_problem(&e));
        drop(slot);
        response
    })
    .await
}

/// Runs on a blocking thread, at most as many at a time as there are workers.
async fn working<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let permit = Arc::clone(&app.workers).acquire_owned().await.map_err(|_| Problem::internal())?;
    let work = move || {
        let result = work();
        drop(permit);
        result
    };
    // A panic in the work is a bug: an internal error of this request only.
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?
}

fn image_problem(error: dapple_data::DataError) -> Problem {
    let status = match error {
        dapple_data::DataError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, error.to_string())
}

fn predict_problem(error: &PredictError) -> Problem {
    if error.is_input_fault() {
        return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    }
    eprintln!("error: {error}");
    Problem::internal()
}
