//! Semantic segmentation: train, measure, show and use networks.
//!
//! The `dapple` program is a thin face of this library. To use a trained model:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let photo = dapple::data::decode_image("photo.jpg")?;
//! let prediction = dapple::Segmenter::load("run/best.safetensors")?.predict(&photo)?;
//! let labels = prediction.labels(); // at the photo's size, as are prediction.probability(class)
//! # Ok(())
//! # }
//! ```
//!
//! A [`Segmenter`] may be shared between threads. [`predict`] has ensembles, test-time augmentation, tiles for images of any
//! size, outputs (overlays, cut-outs, outlines, areas) and batches.
//!
//! To train one, see [`train`] and the program `examples/train_and_predict.rs`. The crates below are re-exported as
//! modules: [`data`] finds and decodes images and masks, [`graph`] is what networks are made of, [`nets`] has the
//! networks, [`metrics`] scores label maps, [`report`] draws, [`onnx`] writes models for other runtimes, [`weights`] fetches
//! published ones.

pub mod device;
pub mod export;
pub mod models;
pub mod pretrained;
mod segmenter;

pub use dapple_cpu as cpu;
pub use dapple_data as data;
pub use dapple_graph as graph;
pub use dapple_metrics as metrics;
pub use dapple_model as model;
pub use dapple_nets as nets;
pub use dapple_onnx as onnx;
pub use dapple_predict as predict;
pub use dapple_report as report;
pub use dapple_run as run;
pub use dapple_serve as serve;
pub use dapple_train as train;
pub use dapple_weights as weights;

pub use dapple_predict::{PredictError, Prediction};
pub use dapple_train::TrainError;
pub use segmenter::{LoadError, Segmenter};

use std::path::Path;

/// Loads a model file, or the best model of a run's folder, on the CPU with all cores: [`Segmenter::load`].
///
/// # Errors
/// If the file cannot be read or is no model.
pub fn load(path: impl AsRef<Path>) -> Result<Segmenter, LoadError> {
    Segmenter::load(path)
}
