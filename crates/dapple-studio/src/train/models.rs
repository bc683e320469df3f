//! Predictions of trained models.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use dapple_data::{Classes, decode_photo_bytes, image_size_bytes};
use dapple_graph::Engine;
use dapple_model::{Model, load_models, model_path};
use dapple_predict::{PredictError, PredictSettings, Predictor};
use serde::Serialize;

use crate::error::{Result, StudioError};
use crate::store::Places;

/// The largest image that is predicted, in pixels.
pub(crate) const MOST_PIXELS: u64 = 100_000_000;

/// The pixels of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Area {
    /// The class.
    pub class: String,
    /// Its pixels.
    pub pixels: u64,
    /// Their share of the image.
    pub share: f64,
}

/// The prediction of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The classes of the model.
    pub classes: Classes,
    /// `height * width` labels; 255 where a threshold leaves a pixel undecided.
    pub labels: Vec<u8>,
    /// The mean uncertainty of its pixels, 0 to 1.
    pub uncertainty: f64,
}

impl Predicted {
    /// The pixels of each class.
    pub fn areas(&self) -> Vec<Area> {
        let mut counts = vec![0_u64; 256];
        self.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        let all = self.labels.len().max(1) as f64;
        let area =
            |(name, pixels): (&String, u64)| Area { class: name.clone(), pixels, share: pixels as f64 / all };
        self.classes.names.iter().zip(counts).map(area).collect()
    }
}

/// A model that was loaded, and the file that it is of.
type Loaded = (PathBuf, Option<SystemTime>, Arc<Predictor>);

/// The models of a folder's trainings; the one that was used last is kept.
pub struct Models {
    places: Places,
    engine: Arc<dyn Engine>,
    loaded: Mutex<Option<Loaded>>,
}

impl Models {
    /// Those in `runs/`, on an engine.
    pub fn new(places: Places, engine: Arc<dyn Engine>) -> Self {
        Self { places, engine, loaded: Mutex::new(None) }
    }

    /// Predicts an image in memory.
    ///
    /// # Errors
    /// [`StudioError::Unknown`] for a training without a model; those of the image and the engine.
    pub fn predict(&self, run: &str, bytes: &[u8], threshold: Option<f32>) -> Result<Predicted> {
        let size = image_size_bytes(bytes, "the image")?;
        if size.pixels() > MOST_PIXELS {
            return Err(StudioError::refused(format!(
                "the image has {} x {} pixels; at most {} millions are predicted here, `dapple predict` takes more",
                size.width,
                size.height,
                MOST_PIXELS / 1_000_000
            )));
        }
        if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return Err(StudioError::refused("a threshold is a probability from 0 to 1"));
        }
        let predictor = self.predictor(run)?;
        let photo = decode_photo_bytes(bytes, "the image", &predictor.reading())?;
        let prediction = predictor.predict(&photo.raster)?.with_threshold(threshold);
        let uncertainty = prediction.uncertainty();
        let sum: f64 = uncertainty.iter().map(|&value| f64::from(value)).sum();
        Ok(Predicted {
            width: prediction.width(),
            height: prediction.height(),
            classes: predictor.classes().clone(),
            labels: prediction.labels(),
            uncertainty: sum / uncertainty.len().max(1) as f64,
        })
    }

    fn predictor(&self, run: &str) -> Result<Arc<Predictor>> {
        let unknown = || StudioError::Unknown(format!("there is no model of a training `{run}` yet"));
        let plain =
            Path::new(run).components().count() == 1 && !run.starts_with('.') && !run.contains(['/', '\\']);
        let folder = self.places.runs.join(run);
        let file = model_path(&folder);
        if !plain || !file.is_file() {
            return Err(unknown());
        }
        let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, at, predictor)) = &*loaded
            && *known == file
            && *at == modified
        {
            return Ok(Arc::clone(predictor));
        }
        let ready = |model| Model::new(model, self.engine.as_ref());
        let models: std::result::Result<Vec<Model>, _> =
            load_models(&folder).map_err(PredictError::from)?.into_iter().map(ready).collect();
        let models = models.map_err(PredictError::from)?;
        let predictor = Arc::new(Predictor::new(models, PredictSettings::default())?);
        *loaded = Some((file, modified, Arc::clone(&predictor)));
        Ok(predictor)
    }
}
