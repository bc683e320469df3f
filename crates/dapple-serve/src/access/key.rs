//! The key that requests must carry.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// Compares the key of a request with the server's, in time that does not depend on where they differ.
pub(crate) fn check_key(wanted: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = wanted else { return Ok(()) };
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.as_bytes());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
    });
    // Slices of different lengths compare at once: the key's length is not a secret.
    match bearer.or_else(|| text("x-api-key")) {
        Some(given) if bool::from(given.ct_eq(wanted.as_bytes())) => Ok(()),
        _ => Err(Problem::unauthorized()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let with = |name: &'static str, value: &str| {
            let value = value.parse().expect("a header's value");
            HeaderMap::from_iter([(axum::http::HeaderName::from_static(name), value)])
        };
        assert!(check_key(None, &HeaderMap::new()).is_ok());
        assert!(check_key(Some("secret"), &HeaderMap::new()).is_err());
        for (name, value, right) in [
            ("authorization", "Bearer secret", true),
            ("authorization", "bearer secret", true),
            ("authorization", "secret", false),
            ("authorization", "Bearer secre", false),
            ("authorization", "Bearer secret2", false),
            ("x-api-key", "secret", true),
            ("x-api-key", "", false),
        ] {
            assert_eq!(check_key(Some("secret"), &with(name, value)).is_ok(), right, "{name}: {value}");
        }
    }
}
