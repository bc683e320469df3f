//! A response whose content is made while it is sent: memory for a piece at a time, and the request's slot until its end.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::Semaphore;

use crate::bounds::held::Held;
use crate::problem::Problem;
use crate::response::answer::Answer;
use crate::work::working;

/// Content that is made before the response begins: smaller answers have a length, and faults until there a status.
const BEGIN_BYTES: usize = 1 << 20;

/// The least length of a piece that is sent.
const PIECE_BYTES: usize = 1 << 16;

/// The rest of an answer, and what it holds.
struct Rest {
    workers: Arc<Semaphore>,
    answer: Answer,
    _held: Held,
}

/// The response of an answer.
pub(crate) async fn respond(
    workers: &Arc<Semaphore>,
    answer: Answer,
    held: Held,
) -> Result<Response, Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    let name = answer.file_name.as_ref().map(|name| format!("inline; filename=\"{name}\""));
    if let Some(Ok(name)) = name.map(|name| HeaderValue::from_str(&name)) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    let (begin, rest) =
        further(Rest { workers: Arc::clone(workers), answer, _held: held }, BEGIN_BYTES).await?;
    if begin.len() < BEGIN_BYTES {
        headers.insert(header::CONTENT_LENGTH, begin.len().into());
    }
    let first = Some(Bytes::from(begin));
    let pieces = stream::try_unfold((first, rest), async |(first, rest)| {
        if let Some(first) = first {
            return Ok(Some((first, (None, rest))));
        }
        let (piece, rest) =
            further(rest, PIECE_BYTES).await.map_err(|_| "the rest of the answer could not be made")?;
        Ok::<_, &str>((!piece.is_empty()).then(|| (piece.into(), (None, rest))))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// At least so many bytes more, fewer at the end.
async fn further(mut rest: Rest, least: usize) -> Result<(Vec<u8>, Rest), Problem> {
    let mut bytes = Vec::new();
    loop {
        let workers = Arc::clone(&rest.workers);
        let (piece, back) = working(&workers, move || {
            let piece = rest.answer.piece().map_err(|error| Problem::of_prediction(&error))?;
            Ok((piece, rest))
        })
        .await?;
        rest = back;
        let Some(piece) = piece else { return Ok((bytes, rest)) };
        bytes.extend(piece);
        if bytes.len() >= least {
            return Ok((bytes, rest));
        }
    }
}
