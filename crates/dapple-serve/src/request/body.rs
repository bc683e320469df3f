//! Reading the body of a request: within its limit, at a pace, and within the memory for bodies.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use hyper::body::Body as _;
use tokio::time::timeout;

use crate::bounds::pace::{Pace, Patience};
use crate::bounds::shares::{HeldMemory, Memory};
use crate::problem::Problem;

/// The longest time to read the body of a refused request.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The limits of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// The most bytes.
    pub bytes: usize,
    /// How often they are held, at most.
    pub copies: u64,
    pub pace: Pace,
}

/// Refuses a body by its `Content-Length` alone.
pub(crate) fn check_length(headers: &HeaderMap, most: usize) -> Result<(), Problem> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > most as u64 => Err(too_large(most)),
        _ => Ok(()),
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body exceeds this server's limit of {most} bytes; send a smaller image"),
    )
    .closing()
}

/// Reads a body; also gives the memory that is held for it, none for an empty one.
pub(crate) async fn read(
    body: &mut Body,
    limits: BodyLimits,
    mut memory: Memory<'_>,
) -> Result<(Bytes, Option<HeldMemory>), Problem> {
    let mut patience = Patience::new(limits.pace);
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let begin = Instant::now();
        let frame = timeout(patience.left(), poll_fn(|context| Pin::new(&mut *body).poll_frame(context)));
        let frame = match frame.await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(Problem::bad_request("the body could not be read").closing()),
            Err(_) => {
                let message = format!(
                    "the body came too slowly; this server asks for {} bytes a second",
                    limits.pace.min_rate
                );
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, message).closing());
            }
        };
        let Some(data) = frame.data_ref() else { continue };
        patience.count(begin.elapsed(), data.len());
        let length = bytes.len() + data.len();
        if length > limits.bytes {
            return Err(too_large(limits.bytes));
        }
        if length > bytes.capacity() {
            // The capacity that is held is chosen here, not by the vector.
            let capacity = (2 * bytes.capacity()).clamp(length, limits.bytes);
            if !memory.grow_to(capacity as u64 * limits.copies) {
                let message = "the memory for bodies is in use; retry later";
                return Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, message, 2).closing());
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(data);
    }
    Ok((bytes.into(), memory.hold()))
}

/// Reads and drops the rest of a body beside the response, for a short while: closing a connection while the client still
/// sends resets it, and the response is lost.
pub(crate) fn drain(mut body: Body, most_bytes: usize) {
    let reading = async move {
        let mut read = 0;
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > most_bytes {
                break;
            }
        }
    };
    // A client that sends for longer loses the connection.
    tokio::spawn(async { timeout(DRAIN_TIME, reading).await });
}
