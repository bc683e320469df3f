//! Scores of label maps.

use std::sync::Mutex;

use dapple::data::Classes;
use dapple::metrics::Protocol;
use numpy::{PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::arrays::{lock, plane, size};
use crate::errors::compute;

/// The names of so many classes, as `dapple score` gives them.
#[pyfunction]
pub fn class_names(count: usize) -> Vec<String> {
    match count {
        2 => Classes::binary("foreground").names,
        _ => Classes::numbered(count).names,
    }
}

/// Collects the scores of a data set, image by image.
#[pyclass(frozen, module = "dapple._native")]
pub struct Evaluator(Mutex<dapple::metrics::Evaluator>);

#[pymethods]
impl Evaluator {
    /// Without images.
    #[new]
    #[pyo3(signature = (classes, ignore, boundary_ratio))]
    fn new(py: Python<'_>, classes: Vec<String>, ignore: Option<u8>, boundary_ratio: f64) -> PyResult<Self> {
        let protocol = Protocol { boundary_ratio, ..Protocol::new(classes, ignore) };
        let made = compute(py, || Ok(dapple::metrics::Evaluator::new(protocol)?))?;
        Ok(Self(Mutex::new(made)))
    }

    /// Scores one image: two contiguous arrays `[height, width]`.
    fn add(
        &self,
        py: Python<'_>,
        name: String,
        prediction: PyReadonlyArray2<'_, u8>,
        truth: PyReadonlyArray2<'_, u8>,
    ) -> PyResult<()> {
        let [height, width] = size(&truth);
        let (prediction, truth) = (prediction.as_slice()?, truth.as_slice()?);
        compute(py, || {
            lock(&self.0).add(&name, prediction, truth, height, width)?;
            Ok(())
        })
    }

    /// Appends the images of another evaluator.
    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<()> {
        compute(py, || {
            let other = lock(&other.0).clone();
            lock(&self.0).merge(other)?;
            Ok(())
        })
    }

    /// The scores as JSON, with those of each image.
    fn scores(&self, py: Python<'_>) -> PyResult<String> {
        compute(py, || {
            let scores = lock(&self.0).finish_with_images();
            Ok(serde_json::to_string(&scores).expect("scores are maps of numbers and words"))
        })
    }

    /// Pixels by true class and predicted class, `[classes, classes]`.
    fn confusion<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u64>>> {
        let (counts, classes) = compute(py, || {
            let evaluator = lock(&self.0);
            let confusion = evaluator.confusion();
            let classes = confusion.classes();
            let row = |truth| (0..classes).map(move |prediction| confusion.get(truth, prediction));
            Ok(((0..classes).flat_map(row).collect::<Vec<u64>>(), classes))
        })?;
        plane(py, counts, [classes, classes])
    }
}
