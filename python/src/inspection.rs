//! Looking at folders of images and masks, and converting them.

use std::path::PathBuf;

use dapple::data::Inspection;
use pyo3::prelude::*;

use crate::dataset::FolderOptions;
use crate::errors::compute;

/// What a folder holds and what looks wrong with it, as JSON and as text.
#[pyfunction]
pub fn inspect(py: Python<'_>, folder: PathBuf, options: FolderOptions) -> PyResult<(String, String)> {
    compute(py, || {
        let inspection = Inspection::of(&folder, &options.open(&folder)?)?;
        let json = serde_json::to_string(&inspection).expect("findings are maps of numbers and words");
        Ok((json, inspection.to_text()))
    })
}

/// Writes a folder as `images/`, `masks/` and `classes.toml`, and returns the number of pairs and the warnings.
#[pyfunction]
pub fn convert(
    py: Python<'_>,
    folder: PathBuf,
    out: PathBuf,
    options: FolderOptions,
) -> PyResult<(usize, Vec<String>)> {
    compute(py, || {
        let dataset = options.open(&folder)?;
        dataset.convert(&out)?;
        let skipped = dataset.skipped().iter().map(ToString::to_string);
        let warnings = dataset.warnings().iter().cloned().chain(skipped).collect();
        Ok((dataset.len(), warnings))
    })
}
