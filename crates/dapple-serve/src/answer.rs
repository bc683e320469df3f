//! The response to a prediction request: one file, or several in one JSON object.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dapple_data::Raster;
use dapple_predict::output::{self, ImageInfo, OutputFile, OutputSettings, Target, output_palette};
use dapple_predict::{PredictError, Prediction};
use dapple_report::Palette;
use serde_json::{Value, json};

use crate::request::Wanted;

/// An encoded output.
struct File {
    part: OutputFile,
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// Encodes the requested outputs of a prediction; this takes time and belongs on a blocking thread.
pub(crate) fn answer(
    model: &str,
    classes: &dapple_data::Classes,
    image: &Raster,
    prediction: &Prediction,
    wanted: &Wanted,
) -> Result<Response, PredictError> {
    let painted = Arc::new(output_palette(classes, wanted.threshold)?);
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
    let parts = wanted.kinds.iter().flat_map(|kind| kind.files(classes.names(), settings));
    let (mut outputs, mut begun) = (Vec::new(), Vec::new());
    for part in parts {
        let target = Target::memory();
        outputs.push(output::output(&part, &info, classes, settings, target.clone())?);
        begun.push((part, target));
    }
    output::write_all(image, prediction, outputs)?;
    let file = |(part, target): (OutputFile, Target)| {
        let media_type = part.kind.media_type(settings);
        Ok(File { part, media_type, bytes: target.commit()? })
    };
    begun.into_iter().map(file).collect()
}

fn one(file: File) -> Response {
    let name = file.part.suffix.trim_start_matches('-');
    let name = if name.starts_with('.') { format!("mask{name}") } else { name.to_owned() };
    // Class names may contain any character; a header may not.
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' }).collect();
    let mut response = file.bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The JSON of a file: JSON and text as they are, anything else in base64.
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
