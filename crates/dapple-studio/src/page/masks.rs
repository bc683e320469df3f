//! Masks: reading, drawing, and taking over what a model says.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use dapple_base::read_regular;
use dapple_data::FILE_LIMIT_BYTES;
use serde::Deserialize;
use serde_json::Value;

use super::answers::{Answer, Asked, Named, absent, body, work};
use super::app::App;
use super::images::{revision, saved};
use crate::error::StudioError;
use crate::store::{Mask, Patch, UNLABELLED};
use crate::train::Predicted;

/// `GET /api/images/{id}/mask`
pub(super) async fn mask(State(app): State<Arc<App>>, Named(id): Named<String>) -> Answer<Response> {
    work(move || {
        let (mask, revision) = app.store.mask(&id)?;
        let tag =
            HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""));
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("image/png")), (header::ETAG, tag)];
        Ok((headers, mask.png()?).into_response())
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Place {
    #[serde(default)]
    x: usize,
    #[serde(default)]
    y: usize,
}

/// `PUT /api/images/{id}/mask`
pub(super) async fn draw(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
    Asked(Place { x, y }): Asked<Place>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Value>> {
    let revision = revision(&headers)?;
    let bytes = body(bytes)?;
    work(move || {
        let size = app.store.image(&id)?.size;
        let patch = Patch::of_png(&bytes, size.height * size.width)?;
        let done = app.store.draw(&id, revision, (x, y), &patch)?;
        Ok(saved(&app, &id, done))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Accepted {
    run: String,
    #[serde(default)]
    replace: u8,
}

/// `POST /api/images/{id}/accept`
pub(super) async fn accept(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
    Asked(Accepted { run, replace }): Asked<Accepted>,
    headers: HeaderMap,
) -> Answer<Json<Value>> {
    let revision = revision(&headers)?;
    work(move || {
        let models = app
            .models
            .as_ref()
            .ok_or_else(|| absent("there are no models here; `dapple studio` has them"))?;
        let path = app.store.image(&id)?.path;
        let bytes =
            read_regular(&path, FILE_LIMIT_BYTES).map_err(|source| StudioError::Read { path, source })?;
        let predicted = models.predict(&run, &bytes, None)?;
        let mask = in_classes(predicted, &app.store.classes().names)?;
        let done = match replace {
            0 => app.store.fill(&id, revision, &mask)?,
            _ => app.store.draw(&id, revision, (0, 0), &Patch::of_labelled(&mask))?,
        };
        Ok(saved(&app, &id, done))
    })
    .await
}

/// A prediction in the labels of these classes, by their names.
fn in_classes(predicted: Predicted, names: &[String]) -> Result<Mask, StudioError> {
    let mut labels = [UNLABELLED; 256];
    for (label, name) in predicted.classes.names.iter().enumerate() {
        let place = names.iter().position(|known| known == name).ok_or_else(|| {
            StudioError::Refused(format!(
                "the model knows the class `{name}`, which is none of the present ones"
            ))
        })?;
        labels[label] = place as u8;
    }
    let Predicted { width, height, labels: found, .. } = predicted;
    let labels = found.into_iter().map(|label| labels[usize::from(label)]).collect();
    Ok(Mask { width, height, labels })
}
