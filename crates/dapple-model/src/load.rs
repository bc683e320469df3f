//! Model files: of runs, of ensembles, and single ones.

use std::path::{Path, PathBuf};

use dapple_nets::checkpoint::{Ensemble, ModelFile};

use crate::error::ModelError;

/// The file of a model: for a folder the best of a run, or the ensemble of its folds; otherwise the file itself.
pub fn model_path(run_or_file: &Path) -> PathBuf {
    if !run_or_file.is_dir() {
        return run_or_file.to_owned();
    }
    let ensemble = run_or_file.join("ensemble.safetensors");
    if ensemble.exists() { ensemble } else { run_or_file.join("best.safetensors") }
}

/// Reads a file of one or several models, or that of a folder.
///
/// # Errors
/// [`ModelError::Checkpoint`] if it cannot be read or is not a model.
pub fn load_models(run_or_file: &Path) -> Result<Vec<ModelFile>, ModelError> {
    Ok(Ensemble::load(&model_path(run_or_file))?.members)
}

/// Reads a model file, or the best model of a run's folder.
///
/// # Errors
/// [`ModelError::Checkpoint`] if it cannot be read or is not a model.
pub fn load_model(run_or_file: &Path) -> Result<ModelFile, ModelError> {
    Ok(ModelFile::load(&model_path(run_or_file))?)
}
