//! The metadata keys of dapple's files, and the errors of both kinds of files.

use crate::checkpoint::error::ContentError;
use safetensors::SafeTensors;

/// Metadata key of a file with one model.
pub(super) const MODEL_KEY: &str = "dapple";

/// Metadata key of a file with several models.
pub(super) const ENSEMBLE_KEY: &str = "dapple.ensemble";

/// Whether the content of a file has several models.
pub(super) fn is_ensemble(bytes: &[u8]) -> bool {
    let metadata = SafeTensors::read_metadata(bytes).ok().map(|(_, metadata)| metadata);
    metadata.is_some_and(|m| m.metadata().as_ref().is_some_and(|m| m.contains_key(ENSEMBLE_KEY)))
}

pub(super) fn unreadable(error: safetensors::SafeTensorError) -> ContentError {
    ContentError::Unreadable(format!("not a safetensors file: {error}"))
}

pub(super) fn parameter(name: &str, why: &str) -> ContentError {
    ContentError::Parameter { name: name.to_owned(), why: why.to_owned() }
}
