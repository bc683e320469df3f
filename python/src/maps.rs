//! Measures of single pairs of masks, and boundary regions.

use dapple::metrics::boundary_distance;
use numpy::{PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{plane, size};
use crate::errors::compute;

/// Hausdorff distance, its 95th percentile and the average symmetric surface distance in pixels; `None` where a mask is empty.
#[pyfunction]
pub fn surface_distances(
    py: Python<'_>,
    prediction: PyReadonlyArray2<'_, bool>,
    truth: PyReadonlyArray2<'_, bool>,
) -> PyResult<Option<(f64, f64, f64)>> {
    let [height, width] = size(&truth);
    let (prediction, truth) = (prediction.as_slice()?, truth.as_slice()?);
    let found = compute(py, || Ok(dapple::metrics::surface_distances(prediction, truth, height, width)?))?;
    Ok(found.map(|found| (found.hausdorff, found.hausdorff_95, found.average)))
}

/// The pixels in the boundary region of their own class, whose width is a share of the diagonal.
#[pyfunction]
pub fn boundary_region<'py>(
    py: Python<'py>,
    labels: PyReadonlyArray2<'_, u8>,
    ratio: f64,
) -> PyResult<Bound<'py, PyArray2<bool>>> {
    let [height, width] = size(&labels);
    let labels = labels.as_slice()?;
    let distance = boundary_distance(height, width, ratio);
    let region = compute(py, || Ok(dapple::metrics::boundary_region(labels, height, width, distance)?))?;
    plane(py, region, [height, width])
}
