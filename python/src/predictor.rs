//! Models with settings, and images to predict.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dapple::data::{Photo, decode_photo_bytes};
use dapple::predict::output::{ImageInfo, output_palette};
use dapple::predict::source::{Opened, PhotoRows, open};
use dapple::predict::tiles::TileGrid;
use dapple::predict::{GeoReference, ImageRow, PredictError, Wants, is_scene};
use dapple::program::Failure;
use dapple_base::{Size, StopFlag, open_regular};
use pyo3::prelude::*;

use crate::errors::compute;
use crate::image;
use crate::prediction::{Prediction, Values};

/// Rows between two looks at Python's signals.
const ROWS_BETWEEN_SIGNALS: usize = 64;

/// Models with settings, ready to predict.
#[pyclass(frozen, module = "dapple._native")]
pub struct Predictor(dapple::predict::Predictor);

impl From<dapple::predict::Predictor> for Predictor {
    fn from(predictor: dapple::predict::Predictor) -> Self {
        Self(predictor)
    }
}

/// A prediction, or the exception of a signal that arrived meanwhile.
type Predicted = Result<Prediction, PyErr>;

#[pymethods]
impl Predictor {
    /// Predicts a contiguous array `[height, width, channels]`; with `alpha`, its last channel is one.
    fn predict(
        &self,
        py: Python<'_>,
        image: &Bound<'_, PyAny>,
        alpha: bool,
        name: String,
    ) -> PyResult<Prediction> {
        let stored = image::stored(image, alpha)?;
        compute(py, || {
            let photo = image::photo(stored, &self.0.reading())?;
            let info = ImageInfo::of(&photo, name);
            self.run(photo, info, None)
        })?
    }

    /// Predicts an image file in memory.
    fn predict_bytes(&self, py: Python<'_>, bytes: &[u8], name: String) -> PyResult<Prediction> {
        compute(py, || {
            let scene = is_scene(GeoReference::of_bytes(bytes).is_some(), bytes);
            let photo = decode_photo_bytes(bytes, &name, &self.0.reading())?;
            let info = ImageInfo::of(&photo, name);
            self.run(photo, info, scene)
        })?
    }

    /// Predicts an image file.
    fn predict_file(&self, py: Python<'_>, path: PathBuf) -> PyResult<Prediction> {
        compute(py, || {
            let geo = GeoReference::of_file(&path)?;
            let scene = is_scene(geo.is_some(), &first_bytes(&path));
            let photo = match open(&path, &self.0)? {
                Opened::Whole(photo) => photo,
                Opened::Rows(rows) => {
                    return Err(Failure::input(format!(
                        "{}: {} x {} pixels are too many for arrays in memory; `dapple predict` writes masks, outlines and \
                         areas of images of any size",
                        path.display(),
                        rows.width(),
                        rows.height()
                    )));
                }
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let info = ImageInfo { geo, ..ImageInfo::of(&photo, name) };
            self.run(photo, info, scene)
        })?
    }
}

impl Predictor {
    fn run(&self, photo: Photo, info: ImageInfo, scene: Option<bool>) -> Result<Predicted, Failure> {
        let size = Size { height: photo.raster.height, width: photo.raster.width };
        let palette = output_palette(self.0.classes(), self.0.settings().threshold)?;
        let values = match self.0.tiles(size, scene)? {
            None => Ok(Values::Whole(self.0.predict(&photo.raster)?)),
            Some(grid) => self.run_tiles(&photo, grid)?,
        };
        Ok(values.map(|values| Prediction::new(photo, info, Arc::new(palette), values)))
    }

    fn run_tiles(&self, photo: &Photo, grid: TileGrid) -> Result<Result<Values, PyErr>, Failure> {
        let wants = Wants { probabilities: true, uncertainty: true };
        let (mut labels, mut probabilities, mut uncertainty) = (Vec::new(), Vec::new(), Vec::new());
        let mut interrupted = None;
        let rows = &mut PhotoRows::new(photo);
        let done = self.0.predict_tiles(rows, grid, wants, &StopFlag::new(), &mut |row: &ImageRow<'_>| {
            labels.extend_from_slice(&row.values.labels);
            probabilities.extend_from_slice(&row.values.probabilities);
            uncertainty.extend_from_slice(&row.values.uncertainty);
            if row.y.is_multiple_of(ROWS_BETWEEN_SIGNALS) {
                interrupted = Python::attach(|py| py.check_signals()).err();
            }
            if interrupted.is_some() { Err(PredictError::Stopped) } else { Ok(()) }
        });
        if let Some(signal) = interrupted {
            return Ok(Err(signal));
        }
        done?;
        Ok(Ok(Values::Rows { labels, probabilities, uncertainty }))
    }
}

/// The first bytes of a file, which tell its format; zeros behind a shorter one, and for a file that cannot be read, whose
/// error its reader reports.
fn first_bytes(path: &Path) -> [u8; 8] {
    let mut start = [0; 8];
    if let Ok(file) = open_regular(path) {
        let mut bytes = Vec::new();
        if file.take(start.len() as u64).read_to_end(&mut bytes).is_ok() {
            start[..bytes.len()].copy_from_slice(&bytes);
        }
    }
    start
}
