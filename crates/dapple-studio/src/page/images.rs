//! Photographs, proposals and the focus.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dapple_serve::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{Answer, Asked, Named, absent, body, json_body, work};
use super::app::App;
use super::photo;
use crate::learn::Learner;
use crate::store::{Mask, Saved};

#[derive(Deserialize)]
pub(super) struct Width {
    width: Option<usize>,
}

/// `GET /api/images/{id}/picture`
pub(super) async fn picture(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
    Asked(Width { width }): Asked<Width>,
) -> Answer<Response> {
    work(move || {
        let path = app.store.image(&id)?.path;
        let (kind, bytes) = photo::picture(&path, width)?;
        Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], bytes).into_response())
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

/// `POST /api/images`
pub(super) async fn add(
    State(app): State<Arc<App>>,
    Asked(Name { name }): Asked<Name>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<(StatusCode, Json<Value>)> {
    let bytes = body(bytes)?;
    work(move || {
        let id = app.store.add_image(&name, &bytes)?;
        app.events.tell("images", &json!({}));
        app.labels_changed();
        Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
    })
    .await
}

/// The learner, where there is one.
fn learner(app: &App) -> Answer<&Arc<Learner>> {
    app.learner.as_ref().ok_or_else(|| absent("nothing learns along here; `dapple studio` does"))
}

/// A header with the number of a proposal.
fn numbered(number: u64, png: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
        (HeaderName::from_static("x-revision"), HeaderValue::from(number)),
    ];
    (headers, png).into_response()
}

/// `GET /api/images/{id}/proposal`
pub(super) async fn proposal(State(app): State<Arc<App>>, Named(id): Named<String>) -> Answer<Response> {
    work(move || {
        let size = app.store.image(&id)?.size;
        let found = learner(&app)?.proposal(&id).ok_or_else(|| absent("there is no proposal yet"))?;
        let labels = found.1.labels_at(size);
        let mask = Mask { width: size.width, height: size.height, labels };
        Ok(numbered(found.0, mask.png()?))
    })
    .await
}

/// `GET /api/images/{id}/uncertainty`
pub(super) async fn uncertainty(State(app): State<Arc<App>>, Named(id): Named<String>) -> Answer<Response> {
    work(move || {
        let found = learner(&app)?.proposal(&id).ok_or_else(|| absent("there is no proposal yet"))?;
        let (number, proposal) = found;
        let map =
            Mask { width: proposal.width, height: proposal.height, labels: proposal.uncertainty.clone() };
        Ok(numbered(number, map.png()?))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Focus {
    image: Option<String>,
    #[serde(default)]
    busy: bool,
}

/// `POST /api/focus`
pub(super) async fn focus(
    State(app): State<Arc<App>>,
    focus: Result<Json<Focus>, JsonRejection>,
) -> Answer<StatusCode> {
    let Focus { image, busy } = json_body(focus)?;
    if let Some(learner) = &app.learner {
        learner.focus(image, busy);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The revision that a change was made from.
pub(super) fn revision(headers: &HeaderMap) -> Answer<u64> {
    let text = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let number = text.and_then(|text| text.trim().trim_matches('"').parse().ok());
    number.ok_or_else(|| {
        let message = "send the revision that the change was made from, as the header If-Match: \"REVISION\"";
        Problem::new(StatusCode::PRECONDITION_REQUIRED, message).into()
    })
}

/// The answer to a change of a mask.
pub(super) fn saved(app: &App, id: &str, saved: Saved) -> Json<Value> {
    let Saved { revision, labelled } = saved;
    app.tell_masks(&[(id.to_owned(), revision)]);
    app.labels_changed();
    Json(json!({ "revision": revision, "labelled": labelled }))
}
