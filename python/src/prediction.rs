//! The prediction of an image, as arrays and as the outputs of `dapple predict`.

use std::path::PathBuf;
use std::sync::Arc;

use dapple::data::Photo;
use dapple::predict::output::{ImageInfo, OutputKind};
use dapple::predict::{ImageRow, PredictError, RowValues, Wants};
use dapple::program::Failure;
use dapple::report::Palette;
use numpy::{PyArray2, PyArray3};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::{cube, plane};
use crate::errors::compute;
use crate::outputs::{self, Choices};

/// The predicted values of an image.
pub enum Values {
    /// Of the image as a whole.
    Whole(dapple::Prediction),
    /// Of an image in tiles.
    Rows {
        /// `[height, width]`.
        labels: Vec<u8>,
        /// `[height, width, classes]`.
        probabilities: Vec<f32>,
        /// `[height, width]`.
        uncertainty: Vec<f32>,
    },
}

/// A prediction with its image.
#[pyclass(frozen, module = "dapple._native")]
pub struct Prediction {
    photo: Photo,
    info: ImageInfo,
    palette: Arc<Palette>,
    values: Values,
}

#[pymethods]
impl Prediction {
    /// Height and width in pixels.
    fn size(&self) -> (usize, usize) {
        (self.info.height, self.info.width)
    }

    /// The name of the image.
    fn name(&self) -> &str {
        &self.info.name
    }

    /// The names of the classes.
    fn classes(&self) -> Vec<String> {
        self.palette.names().to_vec()
    }

    /// The class of each pixel, `[height, width]`; 255 where the image is transparent, has no data, or is undecided.
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let labels = compute(py, || {
            let mut all = Vec::with_capacity(self.pixels());
            self.each_row(Wants::default(), &mut |row| {
                all.extend_from_slice(&row.labels_with_data());
                Ok(())
            })?;
            Ok(all)
        })?;
        plane(py, labels, [self.info.height, self.info.width])
    }

    /// The probability of each class at each pixel, `[height, width, classes]`.
    fn probabilities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray3<f32>>> {
        let classes = self.palette.count();
        let values = compute(py, || {
            let mut all = Vec::with_capacity(self.pixels() * classes);
            self.each_row(Wants { probabilities: true, uncertainty: false }, &mut |row| {
                all.extend_from_slice(&row.values.probabilities);
                Ok(())
            })?;
            Ok(all)
        })?;
        cube(py, values, [self.info.height, self.info.width, classes])
    }

    /// The entropy of the probabilities over its largest value, `[height, width]`.
    fn entropy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let values = compute(py, || {
            let mut all = Vec::with_capacity(self.pixels());
            self.each_row(Wants { probabilities: false, uncertainty: true }, &mut |row| {
                all.extend_from_slice(&row.values.uncertainty);
                Ok(())
            })?;
            Ok(all)
        })?;
        plane(py, values, [self.info.height, self.info.width])
    }

    /// The bytes of the file that `dapple predict --kind` writes.
    fn file<'py>(&self, py: Python<'py>, kind: String, choices: Choices) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = compute(py, || outputs::bytes(self, kind_of(&kind)?, &choices))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes that file.
    fn save(&self, py: Python<'_>, path: PathBuf, kind: String, choices: Choices) -> PyResult<()> {
        compute(py, || outputs::save(self, &path, kind_of(&kind)?, &choices))
    }

    /// A picture of that file as an array `[height, width, channels]`.
    fn picture<'py>(
        &self,
        py: Python<'py>,
        kind: String,
        channels: usize,
        choices: Choices,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let raster = compute(py, || outputs::picture(self, kind_of(&kind)?, channels, &choices))?;
        cube(py, raster.data, [raster.height, raster.width, raster.channels])
    }
}

impl Prediction {
    /// Of an image.
    pub fn new(photo: Photo, info: ImageInfo, palette: Arc<Palette>, values: Values) -> Self {
        Self { photo, info, palette, values }
    }

    /// The image.
    pub fn info(&self) -> &ImageInfo {
        &self.info
    }

    /// Names and colours of the classes.
    pub fn palette(&self) -> &Arc<Palette> {
        &self.palette
    }

    fn pixels(&self) -> usize {
        self.info.height * self.info.width
    }

    /// Passes the rows in order to `each`, with the wanted values.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn each_row(
        &self,
        wants: Wants,
        each: &mut dyn FnMut(&ImageRow<'_>) -> Result<(), PredictError>,
    ) -> Result<(), PredictError> {
        match &self.values {
            Values::Whole(prediction) => {
                let mut rows = prediction.rows(wants);
                for y in 0..self.info.height {
                    each(&self.row(y, rows.row(y)))?;
                }
            }
            Values::Rows { labels, probabilities, uncertainty } => {
                let (width, classes) = (self.info.width, self.palette.count());
                let mut values = RowValues::default();
                for y in 0..self.info.height {
                    values.labels = labels[y * width..][..width].to_vec();
                    values.probabilities = probabilities[y * width * classes..][..width * classes].to_vec();
                    values.uncertainty = uncertainty[y * width..][..width].to_vec();
                    each(&self.row(y, &values))?;
                }
            }
        }
        Ok(())
    }

    fn row<'a>(&'a self, y: usize, values: &'a RowValues) -> ImageRow<'a> {
        let (raster, width) = (&self.photo.raster, self.info.width);
        let line = width * raster.channels;
        let coverage = self.photo.coverage.as_ref().map_or(&[][..], |all| &all[y * width..][..width]);
        ImageRow { y, pixels: &raster.data[y * line..][..line], channels: raster.channels, coverage, values }
    }
}

fn kind_of(name: &str) -> Result<OutputKind, Failure> {
    name.parse::<OutputKind>().map_err(Failure::input)
}
