//! JSON of annotation tools: errors that say where a file is wrong, in words of its own.

use std::path::Path;

use dapple_base::json_fault;
use serde::Deserialize;
use serde_json::error::Category;

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
    let fault = json_fault(error);
    let problem = match error.classify() {
        Category::Eof => format!("{fault}; copy or export the file again"),
        Category::Syntax => format!("{fault}; export the file again"),
        _ => format!("not {kind}: {fault}; export the file again"),
    };
    bad_file(path, problem)
}
