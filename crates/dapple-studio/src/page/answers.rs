//! Errors as answers, and the bodies of requests.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use dapple_base::InputFault;
use dapple_serve::{Problem, aside};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::error::StudioError;

/// An error as an answer.
#[derive(Debug)]
pub(super) enum Refusal {
    Problem(Problem),
    /// The mask has another revision.
    Stale(String, u64),
}

/// An answer, or why there is none.
pub(super) type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<StudioError> for Refusal {
    fn from(error: StudioError) -> Self {
        let message = error.to_string();
        let status = match &error {
            StudioError::Stale(revision) => return Self::Stale(message, *revision),
            StudioError::Unknown(_) => StatusCode::NOT_FOUND,
            StudioError::Taken(_) => StatusCode::CONFLICT,
            _ if error.is_input_fault() => StatusCode::UNPROCESSABLE_ENTITY,
            // The person at this machine may know a full disk from a broken one.
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, message).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Stale(error, revision) => {
                let body = Json(json!({ "error": error, "revision": revision }));
                (StatusCode::PRECONDITION_FAILED, body).into_response()
            }
        }
    }
}

/// The same with the status of a conflict, for what is refused because of the state of the folder.
pub(super) fn conflict(error: StudioError) -> Refusal {
    match error {
        StudioError::Refused(message) => Problem::new(StatusCode::CONFLICT, message).into(),
        error => error.into(),
    }
}

/// What stands in an address after `?`.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let asked = Query::<T>::from_request_parts(parts, state).await;
        asked
            .map(|Query(asked)| Self(asked))
            .map_err(|refused| Problem::new(refused.status(), refused.body_text()).into())
    }
}

/// What stands in the path of an address.
pub(super) struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let named = Path::<T>::from_request_parts(parts, state).await;
        named
            .map(|Path(named)| Self(named))
            .map_err(|refused| Problem::new(refused.status(), refused.body_text()).into())
    }
}

/// A thing that this page does not have.
pub(super) fn absent(what: &str) -> Refusal {
    Problem::new(StatusCode::NOT_FOUND, what).into()
}

/// The body of a request, within its limit.
pub(super) fn body(body: Result<Bytes, BytesRejection>) -> Answer<Bytes> {
    body.map_err(|refused| Problem::new(refused.status(), refused.body_text()).closing().into())
}

/// The JSON of a request.
pub(super) fn json_body<T>(body: Result<Json<T>, JsonRejection>) -> Answer<T> {
    body.map(|Json(value)| value)
        .map_err(|refused| Problem::new(refused.status(), refused.body_text()).into())
}

/// Runs work that reads files or computes on a thread that may wait.
pub(super) async fn work<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    aside(move || Ok(work())).await?
}
