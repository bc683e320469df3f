//! Prediction requests: the query and the body.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use dapple_predict::output::{
    Background, CocoForm, OutputKind, OutputSettings, ProbabilityFormat, Refine, UnknownKind,
};
use hyper::body::Body;
use serde::Deserialize;

use crate::problem::Problem;

/// Media types whose body is the image itself; the second is curl's default for any body.
const RAW: [&str; 2] = ["application/octet-stream", "application/x-www-form-urlencoded"];

/// The field of a form that holds the image.
pub(crate) const FORM_FIELD: &str = "image";

/// The longest time to read the body of a refused request.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The query of `POST /predict`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// Name of the model; the first one by default.
    pub model: Option<String>,
    /// Kinds, separated by commas.
    pub output: Option<String>,
    pub threshold: Option<f32>,
    pub opacity: Option<f32>,
    /// Format of probabilities.
    pub format: Option<String>,
    /// Classes that a cut-out keeps, separated by commas.
    pub class: Option<String>,
    pub background: Option<String>,
    pub refine: Option<bool>,
    pub min_area: Option<u64>,
    pub coco: Option<String>,
}

/// The requested outputs and their settings.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub kinds: Vec<OutputKind>,
    pub settings: OutputSettings,
    pub threshold: Option<f32>,
}

impl Query {
    /// Checks everything but the model's name.
    pub fn wanted(&self, classes: &[String]) -> Result<Wanted, Problem> {
        let share = |name: &str, value: Option<f32>| match value {
            Some(value) if !(0.0..=1.0).contains(&value) => {
                Err(Problem::bad_request(format!("{name}: give a number from 0 to 1")))
            }
            value => Ok(value),
        };
        let mut kinds: Vec<OutputKind> = Vec::new();
        for name in self.output.as_deref().unwrap_or("mask").split(',') {
            let kind = name.parse().map_err(|e: UnknownKind| Problem::bad_request(format!("output: {e}")))?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let default = OutputSettings::default();
        let settings = OutputSettings {
            opacity: share("opacity", self.opacity)?.unwrap_or(default.opacity),
            probability: match self.format.as_deref() {
                None | Some("png8") => ProbabilityFormat::Png8,
                Some("png16") => ProbabilityFormat::Png16,
                Some("npy") => ProbabilityFormat::Npy,
                Some(_) => return Err(Problem::bad_request("format: give png8, png16 or npy")),
            },
            keep: self.class.as_deref().map(|names| kept(names, classes)).transpose()?,
            refine: if self.refine == Some(false) { Refine::Off } else { Refine::Guided },
            background: match self.background.as_deref() {
                None | Some("transparent") => Background::Transparent,
                Some("blur") => Background::Blur,
                Some(text) => Background::Colour(Background::colour_of(text).ok_or_else(|| {
                    Problem::bad_request("background: give transparent, blur, or a colour such as #20a0ff")
                })?),
            },
            min_area: self.min_area.unwrap_or(1),
            coco: match self.coco.as_deref() {
                None | Some("runs") => CocoForm::Runs,
                Some("polygons") => CocoForm::Polygons,
                Some(_) => return Err(Problem::bad_request("coco: give runs or polygons")),
            },
            memory_bytes: default.memory_bytes,
        };
        Ok(Wanted { kinds, settings, threshold: share("threshold", self.threshold)? })
    }
}

fn kept(names: &str, classes: &[String]) -> Result<Vec<u8>, Problem> {
    let label = |name: &str| {
        let label = classes.iter().position(|class| class == name);
        // A model has at most 256 classes.
        label.map(|label| label as u8).ok_or_else(|| {
            Problem::bad_request(format!(
                "class: there is no `{name}`; the classes are {}",
                classes.join(", ")
            ))
        })
    };
    names.split(',').map(label).collect()
}

/// The image of a request: the body itself, or the field [`FORM_FIELD`] of a form.
pub(crate) async fn image_of(request: Request) -> Result<Bytes, Problem> {
    let kind = media_type(request.headers());
    let bytes = match kind.as_deref() {
        Some("multipart/form-data") => of_form(request).await?,
        None => of_body(request).await?,
        Some(kind) if kind.starts_with("image/") || RAW.contains(&kind) => of_body(request).await?,
        Some(kind) => {
            let message = format!(
                "unsupported media type {kind}: send an image as image/*, application/octet-stream or multipart/form-data"
            );
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    if bytes.is_empty() {
        return Err(Problem::bad_request("there is no image in the body"));
    }
    Ok(bytes)
}

/// Reads and drops the rest of a body, for a short while: closing a connection while the client still sends resets it, and
/// the response is lost.
pub(crate) async fn drain(request: Request, most_bytes: usize) {
    let mut body = request.into_body();
    let mut read = 0;
    let reading = async {
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > most_bytes {
                break;
            }
        }
    };
    // A client that sends for longer loses the connection.
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}

/// The media type of the body without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(text.split(';').next().unwrap_or_default().trim().to_lowercase())
}

async fn of_body(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &()).await.map_err(|e| body_problem(e.into_response().status()))
}

async fn of_form(request: Request) -> Result<Bytes, Problem> {
    let problem = |e: MultipartError| body_problem(e.status());
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| Problem::bad_request("the form's Content-Type has no boundary"))?;
    while let Some(field) = form.next_field().await.map_err(problem)? {
        if field.name() == Some(FORM_FIELD) {
            return field.bytes().await.map_err(problem);
        }
    }
    Err(Problem::bad_request(format!("the form has no field `{FORM_FIELD}`")))
}

fn body_problem(status: StatusCode) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "the body exceeds this server's limit"),
        _ => Problem::bad_request("the body could not be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_checked() {
        let classes = ["ground".to_owned(), "horse".to_owned()];
        let wanted = Query {
            output: Some("areas,mask,areas".into()),
            class: Some("horse".into()),
            ..Query::default()
        };
        let wanted = wanted.wanted(&classes).expect("a good query");
        assert_eq!(
            (wanted.kinds, wanted.settings.keep),
            (vec![OutputKind::Areas, OutputKind::Mask], Some(vec![1]))
        );
        let of = |change: fn(&mut Query)| {
            let mut query = Query::default();
            change(&mut query);
            query.wanted(&classes)
        };
        assert!(of(|_| ()).is_ok());
        assert!(of(|q| q.output = Some(String::new())).is_err());
        assert!(of(|q| q.output = Some("mask,".into())).is_err());
        assert!(of(|q| q.threshold = Some(f32::NAN)).is_err());
        assert!(of(|q| q.opacity = Some(1.1)).is_err());
        assert!(of(|q| q.format = Some("jpg".into())).is_err());
        assert!(of(|q| q.class = Some("cow".into())).is_err());
        assert!(of(|q| q.background = Some("/etc/passwd".into())).is_err());
        assert!(of(|q| q.background = Some("#0f8".into())).is_ok());
    }
}
