//! What a prediction is made of, as it is named.

use std::path::PathBuf;

use dapple::predict::inputs::FoundInputs;

/// The models, the images and the place of the results, as they are named.
pub struct Named {
    /// Runs, files and names of models.
    pub models: Vec<PathBuf>,
    /// Images, folders and patterns.
    pub images: Vec<PathBuf>,
    /// The images and videos of a manifest.
    pub listed: FoundInputs,
    /// The folder or the file of the results.
    pub out: PathBuf,
}
