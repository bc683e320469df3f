//! The library's face of predicting: a model that is loaded and used in one line.

use std::ops::Deref;
use std::path::Path;

use dapple_cpu::CpuEngine;
use dapple_model::ModelError;
use dapple_predict::{PredictError, PredictSettings, Predictor};

use crate::models::FindModelError;

/// Why there is no segmenter.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The model cannot be had.
    #[error(transparent)]
    Model(#[from] FindModelError),
    /// The engine does not take it.
    #[error(transparent)]
    Train(#[from] ModelError),
    /// The settings are wrong, or the models do not go together.
    #[error(transparent)]
    Predict(#[from] PredictError),
}

/// A model, or several that predict together, ready to use. It may be shared between threads.
///
/// Everything that a [`Predictor`] can do, it can: [`Predictor::predict`] above all.
pub struct Segmenter(Predictor);

impl Segmenter {
    /// Loads a model file, the best model of a run's folder (of a cross-validation's folder: all of its folds), or a model
    /// by name ([`models`](crate::models)), on the CPU with all cores.
    ///
    /// # Errors
    /// If the file cannot be read or is no model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::load_with(&[path], PredictSettings::default())
    }

    /// Loads models that predict together, with settings: flips, scales, thresholds, tiles.
    ///
    /// # Errors
    /// As [`Segmenter::load`], and for settings out of range or models of different classes.
    pub fn load_with(paths: &[impl AsRef<Path>], settings: PredictSettings) -> Result<Self, LoadError> {
        let engine = CpuEngine::new(None).map_err(ModelError::from)?;
        let mut models = Vec::new();
        for path in paths {
            for model in crate::models::load(path.as_ref())? {
                models.push(dapple_model::Model::new(model, &engine)?);
            }
        }
        Ok(Self(Predictor::new(models, settings)?))
    }
}

impl Deref for Segmenter {
    type Target = Predictor;

    fn deref(&self) -> &Predictor {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segmenter_may_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<Segmenter>();
    }
}
