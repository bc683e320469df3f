//! Trainings, their reports, and reviews.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dapple_base::read_regular;
use serde::Deserialize;

use super::answers::{Answer, Named, absent, json_body, work};
use super::app::App;
use crate::learn::{Learner, ReviewStatus};
use crate::store::{inside, stays_below};
use crate::train::{RunState, Trainings};

/// The kinds of a run's files that are shown.
const SHOWN: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("svg", "image/svg+xml"),
    ("csv", "text/csv; charset=utf-8"),
];

/// The largest file of a run that is shown, in bytes.
const LARGEST: u64 = 64 << 20;

/// Reports bring their style with them, and run nothing.
const REPORT_POLICY: &str = "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'";

fn trainings(app: &App) -> Answer<&Arc<Trainings>> {
    app.trainings.as_ref().ok_or_else(|| absent("nothing is trained here; `dapple studio` does"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    minutes: u32,
    name: Option<String>,
}

/// `POST /api/trainings`
pub(super) async fn start(
    State(app): State<Arc<App>>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Answer<(StatusCode, Json<RunState>)> {
    let Wanted { minutes, name } = json_body(wanted)?;
    work(move || {
        let run = trainings(&app)?.start(minutes, name.as_deref().filter(|name| !name.is_empty()))?;
        Ok((StatusCode::CREATED, Json(run)))
    })
    .await
}

/// `GET /api/trainings/{name}`
pub(super) async fn show(State(app): State<Arc<App>>, Named(name): Named<String>) -> Answer<Json<RunState>> {
    work(move || Ok(Json(trainings(&app)?.state(&name)?))).await
}

/// `POST /api/trainings/{name}/stop`
pub(super) async fn stop(State(app): State<Arc<App>>, Named(name): Named<String>) -> Answer<Json<RunState>> {
    work(move || Ok(Json(trainings(&app)?.stop(&name)?))).await
}

/// `POST /api/trainings/{name}/resume`
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Named(name): Named<String>,
) -> Answer<Json<RunState>> {
    work(move || Ok(Json(trainings(&app)?.resume(&name)?))).await
}

/// `GET /runs/{name}/{*file}`
pub(super) async fn file(
    State(app): State<Arc<App>>,
    Named((name, file)): Named<(String, String)>,
) -> Answer<Response> {
    work(move || {
        trainings(&app)?;
        let missing = || absent("there is no such file of a training");
        let extension = file.rsplit('.').next().unwrap_or_default();
        let (_, kind) = SHOWN.iter().find(|(known, _)| *known == extension).ok_or_else(missing)?;
        if !stays_below(std::path::Path::new(&name)) || name.contains(['/', '\\']) {
            return Err(missing());
        }
        let folder = app.store.places().runs.join(&name);
        let path = inside(&folder, &file).ok_or_else(missing)?;
        let bytes = read_regular(&path, LARGEST).map_err(|_| missing())?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY)),
        ];
        Ok((headers, bytes).into_response())
    })
    .await
}

fn learner(app: &App) -> Answer<&Arc<Learner>> {
    app.learner.as_ref().ok_or_else(|| absent("a review needs the learner; `dapple studio` has it"))
}

/// `GET /api/review`
pub(super) async fn review(State(app): State<Arc<App>>) -> Answer<Json<ReviewStatus>> {
    Ok(Json(learner(&app)?.review_status()))
}

/// `POST /api/review`
pub(super) async fn start_review(State(app): State<Arc<App>>) -> Answer<StatusCode> {
    learner(&app)?.review();
    Ok(StatusCode::ACCEPTED)
}
