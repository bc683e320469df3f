//! Predictions of dropped photographs, and exports.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{Answer, Asked, absent, body, conflict, json_body, work};
use super::app::App;
use super::listed::listed;
use crate::export::{Export, ExportFormat, export};
use crate::store::Mask;
use crate::train::Predicted;

#[derive(Deserialize)]
pub(super) struct Wanted {
    run: String,
    threshold: Option<f32>,
}

/// `POST /api/predict`
pub(super) async fn predict(
    State(app): State<Arc<App>>,
    Asked(Wanted { run, threshold }): Asked<Wanted>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<Json<Value>> {
    let bytes = body(bytes)?;
    work(move || {
        let models = app
            .models
            .as_ref()
            .ok_or_else(|| absent("there are no models here; `dapple studio` has them"))?;
        let predicted = models.predict(&run, &bytes, threshold)?;
        let areas = predicted.areas();
        let Predicted { width, height, classes, labels, uncertainty } = predicted;
        let png = Mask { width, height, labels }.png()?;
        Ok(Json(json!({
            "width": width,
            "height": height,
            "classes": listed(&classes),
            "areas": areas,
            "labels": format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)),
            "uncertainty": uncertainty,
        })))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exported {
    format: ExportFormat,
}

/// `POST /api/export`
pub(super) async fn export_labels(
    State(app): State<Arc<App>>,
    wanted: Result<Json<Exported>, JsonRejection>,
) -> Answer<Response> {
    let Exported { format } = json_body(wanted)?;
    work(move || {
        let Export { archive, left_out } = export(&app.store, format).map_err(conflict)?;
        let name = format!("attachment; filename=\"labels-{}.zip\"", format.name());
        let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
            (header::CONTENT_DISPOSITION, name),
            (HeaderName::from_static("x-left-out"), HeaderValue::from(left_out)),
        ];
        Ok((headers, archive).into_response())
    })
    .await
}
