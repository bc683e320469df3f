//! JSON of annotation tools: errors that say where a file is wrong, in words of its own.

use std::path::Path;

use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::walk::bad_file;

/// Parses the text of a file.
///
/// # Errors
/// [`DataError::BadFile`] that says where it is not such a JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(path: &Path, text: &'a str, kind: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| bad_json(path, &e, kind))
}

fn bad_json(path: &Path, error: &serde_json::Error, kind: &str) -> DataError {
    let place = format!("line {}, column {}", error.line(), error.column());
    let problem = match error.classify() {
        serde_json::error::Category::Eof => {
            format!("the JSON ends at {place} before it is complete; copy or export the file again")
        }
        serde_json::error::Category::Syntax => format!("it is not JSON at {place}; export the file again"),
        _ => format!("not {kind}: something else stands at {place}; export the file again"),
    };
    bad_file(path, problem)
}
