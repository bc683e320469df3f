//! Error responses: a status and one JSON object.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error response.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A response with `Retry-After`.
    pub fn later(status: StatusCode, message: &str, seconds: u64) -> Self {
        Self { header: Some((header::RETRY_AFTER, seconds.into())), ..Self::new(status, message) }
    }

    pub fn unauthorized() -> Self {
        let how = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let message =
            "this server requires a key: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`";
        Self { header: Some(how), ..Self::new(StatusCode::UNAUTHORIZED, message) }
    }

    /// The server is at fault.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed to process this request; its log has the details",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.message }))).into_response();
        response.headers_mut().extend(self.header);
        response
    }
}
