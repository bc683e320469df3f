//! The key of a session: in the printed address, then in a cookie.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use dapple_serve::Problem;
use subtle::ConstantTimeEq;

use super::app::App;
use crate::error::{Result, StudioError};

/// Random bytes of a key.
const BYTES: usize = 16;

/// A key that nobody guesses.
pub(crate) fn new_token() -> Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        StudioError::refused(format!("this system gives no random numbers for a key: {error}"))
    })?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes it");
    }
    Ok(text)
}

/// Lets in who has the key; the printed address gets the cookie.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/" {
        let query = request.uri().query().unwrap_or_default();
        let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
        if let Some((_, token)) = given
            && is_key(&app, token.as_bytes())
        {
            return with_cookie(&app);
        }
    }
    if has_key(&app, request.headers()) {
        return next.run(request).await;
    }
    let message = "open the address that `dapple studio` has printed: it holds the key of this session";
    Problem::new(StatusCode::UNAUTHORIZED, message).closing().into_response()
}

/// Sends a page on, without the key in its address.
fn with_cookie(app: &App) -> Response {
    let cookie = format!("{}={}; HttpOnly; SameSite=Strict; Path=/", app.cookie, app.token);
    let cookie = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    let headers = [(header::LOCATION, HeaderValue::from_static("/")), (header::SET_COOKIE, cookie)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn is_key(app: &App, given: &[u8]) -> bool {
    given.ct_eq(app.token.as_bytes()).into()
}

/// Whether a request has the key, in its cookie or as `Authorization: Bearer KEY`.
fn has_key(app: &App, headers: &HeaderMap) -> bool {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if bearer.is_some_and(|key| is_key(app, key)) {
        return true;
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(name, value)| name == app.cookie && is_key(app, value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_are_long() {
        let [a, b] = [new_token(), new_token()].map(|key| key.expect("random numbers"));
        assert!(a != b && a.len() == 2 * BYTES, "{a} {b}");
    }
}
