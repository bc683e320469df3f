//! Scores of foreground probabilities: salient-object measures, precision and recall.

use std::sync::Mutex;

use dapple::metrics::salient::SalientEvaluator;
use dapple::metrics::{ForegroundMap, PrecisionRecall, Probabilities};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;

use crate::arrays::{lock, size};
use crate::errors::{compute, refused};

/// Collects probabilities of a foreground with their truths, image by image.
#[pyclass(frozen, module = "dapple._native")]
pub struct Foreground(Mutex<EvaluatorState>);

#[derive(Default)]
struct EvaluatorState {
    salient: SalientEvaluator,
    curve: PrecisionRecall,
}

/// A contiguous array of probabilities.
enum Map<'py> {
    Unit(PyReadonlyArray2<'py, f32>),
    Bits8(PyReadonlyArray2<'py, u8>),
    Bits16(PyReadonlyArray2<'py, u16>),
}

impl<'py> Map<'py> {
    fn of(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(array) = array.extract() {
            return Ok(Self::Unit(array));
        }
        if let Ok(array) = array.extract() {
            return Ok(Self::Bits8(array));
        }
        if let Ok(array) = array.extract() {
            return Ok(Self::Bits16(array));
        }
        Err(refused("the prediction is no array of height x width of float32, uint8 or uint16"))
    }

    fn probabilities(&self) -> PyResult<Probabilities<'_>> {
        Ok(match self {
            Self::Unit(array) => Probabilities::Unit(array.as_slice()?),
            Self::Bits8(array) => Probabilities::Bits8(array.as_slice()?),
            Self::Bits16(array) => Probabilities::Bits16(array.as_slice()?),
        })
    }
}

#[pymethods]
impl Foreground {
    /// Without images.
    #[new]
    fn new() -> Self {
        Self(Mutex::new(EvaluatorState::default()))
    }

    /// Scores one image: contiguous arrays `[height, width]`.
    fn add(
        &self,
        py: Python<'_>,
        name: String,
        prediction: &Bound<'_, PyAny>,
        truth: PyReadonlyArray2<'_, bool>,
    ) -> PyResult<()> {
        let [height, width] = size(&truth);
        let map = Map::of(prediction)?;
        let (probabilities, truth) = (map.probabilities()?, truth.as_slice()?);
        compute(py, || {
            let map = ForegroundMap::new(probabilities, truth, height, width)?;
            let mut collected = lock(&self.0);
            collected.salient.add(&name, &map);
            collected.curve.add(&map);
            Ok(())
        })
    }

    /// Appends the images of another.
    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<()> {
        compute(py, || {
            let (salient, curve) = {
                let other = lock(&other.0);
                (other.salient.clone(), other.curve.clone())
            };
            let mut collected = lock(&self.0);
            collected.salient.merge(salient);
            collected.curve.merge(&curve);
            Ok(())
        })
    }

    /// The salient-object measures as JSON.
    fn scores(&self, py: Python<'_>) -> PyResult<String> {
        compute(py, || {
            let scores = lock(&self.0).salient.finish();
            Ok(serde_json::to_string(&scores).expect("scores are maps of numbers and words"))
        })
    }

    /// The measures of each image as JSON.
    fn images(&self, py: Python<'_>) -> PyResult<String> {
        compute(py, || {
            let collected = lock(&self.0);
            let images: Vec<_> = collected.salient.images().collect();
            Ok(serde_json::to_string(&images).expect("scores are maps of numbers and words"))
        })
    }

    /// Average precision; `None` without foreground.
    fn average_precision(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        compute(py, || Ok(lock(&self.0).curve.average_precision()))
    }

    /// The precision-recall curve: threshold, precision and recall of each point.
    fn curve(&self, py: Python<'_>) -> PyResult<Vec<(f64, f64, f64)>> {
        compute(py, || {
            let points = lock(&self.0).curve.points();
            Ok(points.iter().map(|point| (point.threshold, point.precision, point.recall)).collect())
        })
    }
}
