//! Calibration of confidences.

use std::sync::Mutex;

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::arrays::lock;
use crate::errors::compute;

/// One bar of the reliability diagram: its ends, pixels, accuracy and confidence.
type Bar = (f64, f64, u64, Option<f64>, Option<f64>);

/// Collects confidences in bins of equal width.
#[pyclass(frozen, module = "dapple._native")]
pub struct Calibration(Mutex<dapple::metrics::Calibration>);

#[pymethods]
impl Calibration {
    /// Without pixels.
    #[new]
    fn new(py: Python<'_>, bins: usize) -> PyResult<Self> {
        let made = compute(py, || Ok(dapple::metrics::Calibration::new(bins)?))?;
        Ok(Self(Mutex::new(made)))
    }

    /// Adds pixels: contiguous arrays of confidences, and whether they are right.
    fn add(
        &self,
        py: Python<'_>,
        confidence: PyReadonlyArray1<'_, f32>,
        correct: PyReadonlyArray1<'_, bool>,
    ) -> PyResult<()> {
        let (confidence, correct) = (confidence.as_slice()?, correct.as_slice()?);
        compute(py, || {
            lock(&self.0).add(confidence, correct)?;
            Ok(())
        })
    }

    /// Adds the pixels of another.
    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<()> {
        compute(py, || {
            let other = lock(&other.0).clone();
            lock(&self.0).merge(&other)?;
            Ok(())
        })
    }

    /// The reliability diagram.
    fn bins(&self, py: Python<'_>) -> PyResult<Vec<Bar>> {
        compute(py, || {
            let bins = lock(&self.0).bins();
            Ok(bins.iter().map(|bin| (bin.low, bin.high, bin.pixels, bin.accuracy, bin.confidence)).collect())
        })
    }

    /// The expected calibration error.
    fn expected_error(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        compute(py, || Ok(lock(&self.0).expected_error()))
    }

    /// The maximum calibration error.
    fn maximum_error(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        compute(py, || Ok(lock(&self.0).maximum_error()))
    }
}
