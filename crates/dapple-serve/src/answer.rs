//! What is sent for a prediction: the one file asked for, or several in one JSON object.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dapple_data::Raster;
use dapple_predict::output::{self, ImageInfo, OutputSettings, Part, Target};
use dapple_predict::{PredictError, Prediction, UNDECIDED};
use dapple_report::Palette;
use serde_json::{Value, json};

use crate::request::Wanted;

/// A file made of a prediction.
struct File {
    part: Part,
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// Makes what is wanted of a prediction; this takes time and belongs on a thread that may block.
pub(crate) fn answer(
    model: &str,
    classes: &dapple_data::Classes,
    image: &Raster,
    prediction: &Prediction,
    wanted: &Wanted,
) -> Result<Response, PredictError> {
    let undecided = (classes.names.len() > 2 && wanted.threshold.is_some()).then_some(UNDECIDED);
    let painted = Arc::new(Palette::new(classes.clone(), undecided)?);
    let mut files = files(&painted, image, prediction, wanted)?;
    if let (1, 1) = (files.len(), wanted.kinds.len())
        && let Some(file) = files.pop()
    {
        return Ok(one(file));
    }
    let outputs: Value = files.iter().map(|file| described(file, &classes.names)).collect();
    Ok(Json(json!({
        "model": model,
        "width": image.width,
        "height": image.height,
        "outputs": outputs,
    }))
    .into_response())
}

fn files(
    classes: &Arc<Palette>,
    image: &Raster,
    prediction: &Prediction,
    wanted: &Wanted,
) -> Result<Vec<File>, PredictError> {
    let settings: &OutputSettings = &wanted.settings;
    let info = ImageInfo { width: image.width, height: image.height, name: "image".into(), geo: None };
    let parts = wanted.kinds.iter().flat_map(|kind| kind.parts(classes.names(), settings));
    let (mut outputs, mut begun) = (Vec::new(), Vec::new());
    for part in parts {
        let target = Target::memory();
        outputs.push(output::output(&part, &info, classes, settings, target.clone())?);
        begun.push((part, target));
    }
    output::write_all(image, prediction, outputs)?;
    let file = |(part, target): (Part, Target)| {
        let media_type = part.kind.media_type(settings);
        Ok(File { part, media_type, bytes: target.commit()? })
    };
    begun.into_iter().map(file).collect()
}

fn one(file: File) -> Response {
    let name = file.part.suffix.trim_start_matches('-');
    let name = if name.starts_with('.') { format!("mask{name}") } else { name.to_owned() };
    // Class names may hold anything; a header may not.
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' }).collect();
    let mut response = file.bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// JSON stays JSON, text stays text, the rest becomes base64.
fn described(file: &File, names: &[String]) -> Value {
    let text = || String::from_utf8_lossy(&file.bytes).into_owned();
    let (encoding, data) = match file.media_type {
        kind if kind.ends_with("json") => ("json", serde_json::from_slice(&file.bytes).unwrap_or_default()),
        kind if kind.starts_with("text/") => ("text", Value::from(text())),
        _ => ("base64", Value::from(BASE64_STANDARD.encode(&file.bytes))),
    };
    let mut described = json!({ "kind": file.part.kind.name(), "media_type": file.media_type });
    if let Some(class) = file.part.class {
        described["class"] = names[class].clone().into();
    }
    described["encoding"] = encoding.into();
    described["data"] = data;
    described
}
