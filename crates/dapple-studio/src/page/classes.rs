//! The classes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use dapple_serve::Problem;
use serde_json::Value;

use super::answers::{Answer, json_body, work};
use super::app::App;
use super::listed::listed;
use crate::store::ClassEdit;

/// `PUT /api/classes`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    edits: Result<Json<Vec<ClassEdit>>, JsonRejection>,
) -> Answer<Json<Value>> {
    let edits = json_body(edits)?;
    if app.trainings.as_ref().is_some_and(|trainings| trainings.is_busy()) {
        let message = "a training reads the masks with the classes as they are; change them when it is done, or stop it";
        return Err(Problem::new(StatusCode::CONFLICT, message).into());
    }
    work(move || {
        let masks = app.store.change_classes(&edits)?;
        let classes = listed(&app.store.classes());
        app.tell_classes();
        app.tell_masks(&masks);
        app.labels_changed();
        Ok(Json(classes))
    })
    .await
}
