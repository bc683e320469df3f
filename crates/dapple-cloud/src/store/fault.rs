//! The errors of stores as those of this crate.

use object_store::Error;

use crate::error::{CloudError, without_secrets};
use crate::location::Location;

/// The error of a request about an object.
pub(super) fn fault(location: &Location, error: &Error) -> CloudError {
    let address = location.to_string();
    match error {
        Error::NotFound { .. } => CloudError::Absent { address },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            CloudError::Refused { address, reason: reason(error) }
        }
        Error::Precondition { .. } | Error::NotModified { .. } => CloudError::Changed { address },
        Error::InvalidPath { .. } => {
            CloudError::Address { address, problem: format!("not a key that can be used: {}", reason(error)) }
        }
        _ => CloudError::Fault { address, reason: reason(error) },
    }
}

/// Whether another attempt may succeed.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. } | Error::JoinError { .. })
}

/// The messages of an error and of its sources, each once.
fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let message = inner.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        source = inner.source();
    }
    without_secrets(&text)
}
