//! Random changes of one image with its mask.

use std::sync::Arc;

use dapple::data::{
    Augment, Classes, Dataset, InputSettings, LabelMap, LabelledImage, Loader, LoaderSettings, MAX_CHANNELS,
    Raster,
};
use dapple::program::Failure;
use dapple::train::settings::augmentation;
use dapple_base::readable;
use numpy::{PyReadonlyArray2, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::arrays::{cube, plane};
use crate::dataset::Pair;
use crate::errors::compute;

/// The changes that join several samples.
const MIXING: [&str; 2] = ["cutmix", "mosaic"];

/// The largest size of a result.
const LARGEST: (usize, usize) = (4096, 4096);

/// Settings of the changes, as in training.
#[pyclass(frozen, module = "dapple._native")]
pub struct Augmentation {
    augment: Augment,
    size: Option<(usize, usize)>,
    seed: u64,
    ignore: Option<u8>,
}

#[pymethods]
impl Augmentation {
    /// A preset with changes of its settings, a JSON object. `size` is height and width of the result.
    #[new]
    #[pyo3(signature = (preset, changes, size, seed, ignore))]
    fn new(
        py: Python<'_>,
        preset: String,
        changes: String,
        size: Option<(usize, usize)>,
        seed: u64,
        ignore: Option<u8>,
    ) -> PyResult<Self> {
        let augment = compute(py, || {
            let augment = settings(&preset, &changes)?;
            // Checked again with the size of each image, where none is given.
            let (height, width) = size.unwrap_or(LARGEST);
            augment.validate(&InputSettings::new(height, width))?;
            Ok(augment)
        })?;
        Ok(Self { augment, size, seed, ignore })
    }

    /// All settings as JSON.
    fn settings(&self) -> String {
        serde_json::to_string(&self.augment).expect("settings are a map of numbers and words")
    }

    /// Changes contiguous arrays `[height, width, channels]` and `[height, width]`. The same `draw` makes the same changes.
    fn apply<'py>(
        &self,
        py: Python<'py>,
        image: PyReadonlyArray3<'_, u8>,
        mask: PyReadonlyArray2<'_, u8>,
        draw: u64,
    ) -> PyResult<Pair<'py>> {
        let (shape, sides) = (image.shape().to_vec(), mask.shape().to_vec());
        let (pixels, labels) = (image.as_slice()?, mask.as_slice()?);
        let changed = compute(py, || {
            let &[height, width, channels] = &shape[..] else { return Err(wrong_shape()) };
            let &[rows, columns] = &sides[..] else { return Err(wrong_shape()) };
            if height * width == 0 || !(1..=MAX_CHANNELS).contains(&channels) {
                return Err(wrong_shape());
            }
            let image = Raster::new(width, height, channels, pixels.to_vec());
            let labels = LabelMap { width: columns, height: rows, labels: labels.to_vec() };
            self.changed(LabelledImage { image, labels }, draw)
        })?;
        let LabelledImage { image, labels } = changed;
        let image = cube(py, image.data, [image.height, image.width, image.channels])?;
        Ok((image, plane(py, labels.labels, [labels.height, labels.width])?))
    }
}

impl Augmentation {
    fn changed(&self, pair: LabelledImage, draw: u64) -> Result<LabelledImage, Failure> {
        let (height, width) = self.size.unwrap_or((pair.image.height, pair.image.width));
        let input = InputSettings { channels: pair.image.channels, ..InputSettings::new(height, width) };
        let settings =
            LoaderSettings { augment: self.augment, seed: self.seed, ..LoaderSettings::new(input, 1) };
        // Labels need no names here: all that are in use are classes.
        let most = pair.labels.labels.iter().filter(|&&label| Some(label) != self.ignore).max();
        let classes = usize::from(most.copied().unwrap_or_default()) + 1;
        let classes = Classes {
            names: (0..classes).map(|label| label.to_string()).collect(),
            colours: vec![[0; 3]; classes],
        };
        let dataset = Dataset::from_memory([("the image".to_owned(), pair)], classes, self.ignore)?;
        let loader = Loader::new(Arc::new(dataset), vec![0], settings)?;
        Ok(loader.changed_sample(draw, 0)?)
    }
}

fn wrong_shape() -> Failure {
    Failure::input("give an image of height x width x channels and a mask of height x width")
}

/// A preset with changes, and without the mixing of samples, for there is one only.
fn settings(preset: &str, changes: &str) -> Result<Augment, Failure> {
    let preset =
        augmentation(preset).map_err(|error| Failure::input(format!("augmentation `{preset}`: {error}")))?;
    let changes: Map<String, Value> =
        serde_json::from_str(changes).map_err(|error| Failure::input(readable(&error.to_string())))?;
    if let Some(name) = MIXING.iter().find(|name| changes.contains_key(**name)) {
        return Err(Failure::input(format!(
            "{name} mixes several samples, and this changes one pair at a time"
        )));
    }
    let Value::Object(mut all) = serde_json::to_value(preset).map_err(Failure::other)? else {
        return Err(Failure::input("the preset of an augmentation is a table"));
    };
    all.extend(changes);
    all.extend(MIXING.map(|name| (name.to_owned(), Value::from(0.0))));
    Augment::deserialize(Value::Object(all)).map_err(|error| Failure::input(readable(&error.to_string())))
}
