//! The classes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use dapple_data::Classes;
use dapple_serve::Problem;
use serde_json::{Value, json};

use super::answers::{Answer, json_body, work};
use super::app::App;
use crate::store::{ClassEdit, colour_text};

/// Classes as the page knows them.
pub(crate) fn listed(classes: &Classes) -> Value {
    let named = classes.names.iter().zip(&classes.colours).enumerate();
    named
        .map(|(id, (name, colour))| json!({ "id": id, "name": name, "color": colour_text(*colour) }))
        .collect()
}

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
        app.events.tell("classes", &classes);
        app.tell_masks(&masks);
        app.labels_changed();
        Ok(Json(classes))
    })
    .await
}
