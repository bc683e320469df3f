//! `--json`: results for other programs.

use std::path::Path;

use dapple_base::write_atomic;
use serde::Serialize;

use super::written::{Own, check_written};
use crate::cli::console::write_raw;
use crate::cli::failure::Failure;

/// The value of `--json` that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Prints JSON to standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    // As it is: JSON has no control characters but escaped ones.
    write_raw((text(value)? + "\n").as_bytes());
    Ok(())
}

/// Checks, before the work, that the file of `--json` may be written.
pub fn check_json(path: Option<&Path>, own: Own, inputs: &[&Path]) -> Result<(), Failure> {
    match path.filter(|path| *path != Path::new(STANDARD_OUTPUT)) {
        Some(path) => check_written(path, own, inputs, None),
        None => Ok(()),
    }
}

/// Writes JSON to a file or, for `-`, to standard output. Returns whether standard output is left for text.
pub fn write_json(value: &impl Serialize, path: Option<&Path>) -> Result<bool, Failure> {
    match path {
        None => Ok(true),
        Some(path) if path == Path::new(STANDARD_OUTPUT) => print_json(value).map(|()| false),
        Some(path) => {
            write_atomic(path, (text(value)? + "\n").as_bytes())?;
            Ok(true)
        }
    }
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(Failure::other)
}
