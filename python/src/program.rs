//! The command `dapple`.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the `dapple` program with these arguments, the first of which is its name, and returns its exit code.
#[pyfunction]
pub fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| dapple::program::run(arguments))
}

/// The version of dapple.
#[pyfunction]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
