//! The native module `dapple._native`: functions of dapple on NumPy arrays. The Python files of the package are its face.
//!
//! Every function that computes lets other Python threads run meanwhile, and turns errors and panics into exceptions
//! ([`errors::compute`]). Objects may be shared between threads.

mod arrays;
mod augmentation;
mod calibration;
mod dataset;
mod errors;
mod evaluator;
mod foreground;
mod image;
mod inspection;
mod maps;
mod outputs;
mod prediction;
mod predictor;
mod program;
mod segmenter;
mod training;

/// The functions of dapple that the package `dapple` is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::augmentation::Augmentation;
    #[pymodule_export]
    use super::calibration::Calibration;
    #[pymodule_export]
    use super::dataset::Dataset;
    #[pymodule_export]
    use super::evaluator::{Evaluator, class_names};
    #[pymodule_export]
    use super::foreground::Foreground;
    #[pymodule_export]
    use super::inspection::{convert, inspect};
    #[pymodule_export]
    use super::maps::{boundary_region, surface_distances};
    #[pymodule_export]
    use super::prediction::Prediction;
    #[pymodule_export]
    use super::predictor::Predictor;
    #[pymodule_export]
    use super::program::{run, version};
    #[pymodule_export]
    use super::segmenter::Segmenter;
    #[pymodule_export]
    use super::training::train;
}
