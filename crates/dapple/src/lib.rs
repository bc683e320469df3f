//! Semantic segmentation: train, measure, explain and use networks.
//!
//! A [`Segmenter`] is a model ready to use: a file that dapple trained, or one of the built-in models by name. It may be
//! shared between threads.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("dapple-front-page-{}", std::process::id()));
//! # dapple::data::synthetic::write(&folder, 0, 2, 64, 48)?;
//! # let path = folder.join("images/synthetic0000.png");
//! use dapple::{Flip, Segmenter, data::decode_image};
//!
//! let segmenter = Segmenter::builder().device("cpu").flip(Flip::Horizontal).load("horse")?;
//! let photo = decode_image(path)?;
//! let prediction = segmenter.predict(&photo)?;
//!
//! // A class for each pixel of the photo, and the probability of the second class.
//! assert_eq!(prediction.labels().len(), photo.width * photo.height);
//! assert!(prediction.probability(1).iter().all(|p| (0.0..=1.0).contains(p)));
//! prediction.save_mask(folder.join("mask.png"))?;
//! # assert!(folder.join("mask.png").is_file());
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`predict`] has everything else about predictions: ensembles, tiles for images of any size, other outputs (overlays,
//! cut-outs, outlines, areas), batches of files and videos.
//!
//! To train a model, see [`train`], [`run`] and the program `examples/train_and_predict.rs`.
//!
//! The crates of the workspace are re-exported as modules: [`data`] reads images and masks, [`graph`] defines what networks
//! are made of, [`nets`] has the networks, [`model`] puts a model on an engine, [`metrics`] scores label maps, [`report`]
//! draws, [`onnx`] reads and writes models of other runtimes, [`weights`] downloads published ones, [`serve`] answers HTTP
//! requests, [`studio`] is a page for labelling and training. This crate itself adds the choice of a [`device`], [`models`] by
//! name, those of other programs ([`foreign`], [`onnx_model`], [`hub`]), and [`export`].
//!
//! The library prints nothing, and its settings are arguments; environment variables are for the `dapple` program, which
//! [`program`] has as a function.

// The command line names the library as every other program does.
extern crate self as dapple;

mod cli;
pub mod device;
mod environment;
pub mod export;
pub mod foreign;
pub mod hub;
pub mod hub_export;
mod hub_model;
pub mod models;
pub mod onnx_model;
mod onnx_told;
mod preprocessor;
pub mod pretrained;
pub mod program;
mod segmenter;
mod unfound;

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
pub use dapple_studio as studio;
pub use dapple_train as train;
pub use dapple_weights as weights;

pub use dapple_predict::{PredictError, Prediction};
pub use dapple_train::TrainError;
pub use segmenter::{Flip, ForeignInput, LoadError, Segmenter, SegmenterBuilder};

use std::path::Path;

/// Loads a model on the CPU with all cores: [`Segmenter::load`].
///
/// # Errors
/// If the model cannot be found or read.
pub fn load(path: impl AsRef<Path>) -> Result<Segmenter, LoadError> {
    Segmenter::load(path)
}
