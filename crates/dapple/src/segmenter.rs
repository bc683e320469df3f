//! The library's face of predicting: a model that is loaded and used in one line.

use std::ops::Deref;
use std::path::Path;

use dapple_cpu::CpuEngine;
use dapple_predict::{PredictError, Predictor, Settings};
use dapple_train::TrainError;

/// A model, or several that predict together, ready to use. It may be shared between threads.
///
/// Everything that a [`Predictor`] can do, it can: [`Predictor::predict`] above all.
pub struct Segmenter(Predictor);

impl Segmenter {
    /// Loads a model file, or the best model of a run's folder (of a cross-validation's folder: all of its folds), on the
    /// CPU with all cores.
    ///
    /// # Errors
    /// If the file cannot be read or is no model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PredictError> {
        Self::load_with(&[path], Settings::default())
    }

    /// Loads models that predict together, with settings: flips, scales, thresholds, tiles.
    ///
    /// # Errors
    /// As [`Segmenter::load`], and for settings out of range or models of different classes.
    pub fn load_with(paths: &[impl AsRef<Path>], settings: Settings) -> Result<Self, PredictError> {
        let engine = CpuEngine::new(None).map_err(TrainError::from)?;
        let mut models = Vec::new();
        for path in paths {
            models.extend(dapple_train::Segmenter::load_all(path.as_ref(), &engine)?);
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
