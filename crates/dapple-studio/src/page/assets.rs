//! The files of the page, which are in the program.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use dapple_serve::Problem;

/// Path, media type and content of each file.
static ASSETS: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page's start.
const INDEX: &str = "/index.html";

/// A file of the page, or nothing.
pub(super) async fn asset(uri: Uri) -> Response {
    let path = if uri.path() == "/" { INDEX } else { uri.path() };
    match ASSETS.iter().find(|(known, ..)| *known == path) {
        Some((_, kind, content)) => {
            ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], *content).into_response()
        }
        None => Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path; see /").into_response(),
    }
}
