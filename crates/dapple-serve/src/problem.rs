//! Error responses: a status and one JSON object.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dapple_base::InputFault;
use dapple_data::DataError;
use dapple_predict::PredictError;
use serde_json::json;

use crate::log::log;

/// An error response: a status, and an object whose `error` is a sentence for people.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
    closing: bool,
}

impl Problem {
    /// An error with a status and a message.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None, closing: false }
    }

    /// A request that cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A response with `Retry-After`.
    pub fn later(status: StatusCode, message: &str, seconds: u64) -> Self {
        Self { header: Some((header::RETRY_AFTER, seconds.into())), ..Self::new(status, message) }
    }

    /// A request without the server's key.
    pub fn unauthorized() -> Self {
        let how = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let message =
            "this server requires a key: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`";
        Self { header: Some(how), ..Self::new(StatusCode::UNAUTHORIZED, message) }
    }

    /// The same, after which the connection ends: the rest of its body is not read.
    #[must_use]
    pub fn closing(self) -> Self {
        Self { closing: true, ..self }
    }

    /// The message.
    #[cfg(test)]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An image that cannot be used.
    pub fn of_image(error: &DataError) -> Self {
        let status = match error {
            DataError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }

    /// A failed prediction: the image's fault, or an internal error that the log has.
    pub fn of_prediction(error: &PredictError) -> Self {
        if error.is_input_fault() {
            return Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
        }
        log(format_args!("error: {error}"));
        Self::internal()
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
        if self.closing {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
