//! Folders of images and masks.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dapple::data::{Channels, Dataset as Folder, Format, MaskOrientation, OpenOptions, ValueRange};
use dapple::program::Failure;
use numpy::{PyArray2, PyArray3};
use pyo3::prelude::*;

use crate::arrays::{cube, plane};
use crate::errors::{compute, refused};

/// An image `[height, width, channels]` and its labels `[height, width]`.
pub type Pair<'py> = (Bound<'py, PyArray3<u8>>, Bound<'py, PyArray2<u8>>);

/// How a folder is read.
#[derive(FromPyObject)]
pub struct FolderOptions {
    /// The name of its format.
    #[pyo3(item)]
    format: Option<String>,
    /// The number of classes.
    #[pyo3(item)]
    classes: Option<usize>,
    /// The label of pixels to ignore.
    #[pyo3(item)]
    ignore: Option<u8>,
    /// `as-image` or `upright`.
    #[pyo3(item)]
    mask_orientation: Option<String>,
    /// The ending of the masks' names.
    #[pyo3(item)]
    mask_suffix: Option<String>,
    /// Leave bad pairs out.
    #[pyo3(item)]
    skip_bad: bool,
    /// The values that become black and white.
    #[pyo3(item)]
    value_range: Option<String>,
}

impl FolderOptions {
    /// Opens the folder.
    pub fn open(&self, folder: &Path) -> Result<Folder, Failure> {
        let options = OpenOptions {
            format: parsed::<Format>("format", self.format.as_deref())?,
            classes: self.classes,
            ignore: self.ignore,
            mask_orientation: parsed::<MaskOrientation>(
                "mask_orientation",
                self.mask_orientation.as_deref(),
            )?,
            mask_suffix: self.mask_suffix.clone(),
            skip_bad: self.skip_bad,
            value_range: parsed::<ValueRange>("value_range", self.value_range.as_deref())?,
            ..OpenOptions::default()
        };
        Ok(Folder::open(folder, &options)?)
    }
}

/// The value of an option, if it is given.
fn parsed<T: FromStr<Err: Display>>(name: &str, text: Option<&str>) -> Result<Option<T>, Failure> {
    let Some(text) = text else { return Ok(None) };
    text.parse::<T>().map(Some).map_err(|error| Failure::input(format!("{name} `{text}`: {error}")))
}

/// A folder of images and masks.
#[pyclass(frozen, module = "dapple._native")]
pub struct Dataset(Folder);

#[pymethods]
impl Dataset {
    /// Opens a folder.
    #[new]
    fn new(py: Python<'_>, folder: PathBuf, options: FolderOptions) -> PyResult<Self> {
        Ok(Self(compute(py, || options.open(&folder))?))
    }

    /// The number of pairs.
    fn count(&self) -> usize {
        self.0.len()
    }

    /// The names of the pairs.
    fn names(&self) -> Vec<String> {
        (0..self.0.len()).map(|index| self.0.name(index).to_owned()).collect()
    }

    /// The names of the classes.
    fn classes(&self) -> Vec<String> {
        self.0.classes().names.clone()
    }

    /// The colours of the classes, red, green, blue.
    fn colours(&self) -> Vec<[u8; 3]> {
        self.0.classes().colours.clone()
    }

    /// The label of pixels to ignore.
    fn ignore(&self) -> Option<u8> {
        self.0.ignore()
    }

    /// Interpretations that one should know of, and pairs that were left out.
    fn warnings(&self) -> Vec<String> {
        let skipped = self.0.skipped().iter().map(ToString::to_string);
        self.0.warnings().iter().cloned().chain(skipped).collect()
    }

    /// The pair of that number.
    fn load<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Pair<'py>> {
        if index >= self.0.len() {
            return Err(refused(format!("pair {index} of {}", self.0.len())));
        }
        let pair = compute(py, || Ok(self.0.load(index, Channels::from(self.0.images().bands))?))?;
        let (image, labels) = (pair.image, pair.labels);
        let image = cube(py, image.data, [image.height, image.width, image.channels])?;
        Ok((image, plane(py, labels.labels, [labels.height, labels.width])?))
    }
}
