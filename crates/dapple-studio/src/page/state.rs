//! The state of everything, for a page that opens.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{Answer, Asked, work};
use super::app::{App, BODY_BYTES};
use super::listed::listed;
use crate::learn::LearnerStatus;
use crate::store::{ImageInfo, UNLABELLED};
use crate::train::MOST_PIXELS;

#[derive(Deserialize)]
pub(super) struct Tab {
    #[serde(default)]
    pub tab: String,
}

/// `GET /api/state`
pub(super) async fn state(
    State(app): State<Arc<App>>,
    Asked(Tab { tab }): Asked<Tab>,
) -> Answer<Json<Value>> {
    work(move || Ok(Json(content(&app, &tab)))).await
}

/// What tells the folder from others of its name, for strokes that the browser keeps: FNV-1a of its path.
fn key(root: &Path) -> String {
    let mixed = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = root.as_os_str().as_encoded_bytes();
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, mixed))
}

fn content(app: &App, tab: &str) -> Value {
    let image = |image: ImageInfo| {
        let proposal = app.learner.as_ref().and_then(|learner| learner.proposal(&image.id));
        json!({
            "id": image.id,
            "width": image.size.width,
            "height": image.size.height,
            "revision": image.revision,
            "photograph": image.photograph,
            "labelled": image.labelled,
            "uncertainty": proposal.as_ref().map(|(_, proposal)| proposal.mean_uncertainty()),
            "proposal": proposal.map(|(number, _)| number),
            "problem": image.problem,
        })
    };
    let images: Vec<Value> = app.store.images().into_iter().map(image).collect();
    let mut parts = vec!["label"];
    parts.extend(app.learner.as_ref().map(|_| "learn"));
    parts.extend(app.trainings.as_ref().map(|_| "train"));
    parts.extend(app.models.as_ref().map(|_| "use"));
    let learner = app.learner.as_ref().map_or_else(LearnerStatus::default, |learner| learner.status());
    let root = &app.store.places().root;
    let folder = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
    json!({
        "folder": folder,
        "key": key(root),
        "version": env!("CARGO_PKG_VERSION"),
        "parts": parts,
        "second": app.is_second(tab),
        "classes": listed(&app.store.classes()),
        "numbering": app.store.numbering(),
        "ignore": UNLABELLED,
        "images": images,
        "next": app.learner.as_ref().and_then(|learner| learner.next_image()),
        "learner": learner,
        "runs": app.trainings.as_ref().map(|trainings| trainings.list()).unwrap_or_default(),
        "sources": { "encoder": app.encoder },
        "limits": { "body_bytes": BODY_BYTES, "pixels": MOST_PIXELS },
        "notes": app.notes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_one_name_have_different_keys() {
        assert_ne!(key(Path::new("/a/photos")), key(Path::new("/b/photos")));
        // FNV-1a of nothing is its offset.
        assert_eq!(key(Path::new("")), "cbf29ce484222325");
    }
}
