//! A model file on an engine: load it, run it, turn logits into probabilities and labels, evaluate it.
//!
//! Nothing here knows how models are trained. [`Model`] is one network with its weights and its card; [`evaluate`] scores a
//! network on the samples of a data set, and [`quantize`] makes it compute in integers of eight bits.
//!
//! ```no_run
//! use std::path::Path;
//! use dapple_model::Model;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = dapple_cpu::CpuEngine::new(None)?;
//! let model = Model::load(Path::new("runs/horses"), &engine)?;
//! let photo = dapple_data::decode_image("photo.jpg")?;
//! let logits = model.predict(&photo)?;
//! let labels = logits.labels(); // [height, width], at the photograph's size
//! let horse = logits.probability(1);
//! # Ok(())
//! # }
//! ```

mod card;
pub mod decide;
mod error;
mod evaluate;
mod load;
mod logits;
mod model;
mod quantize;

pub use card::{Provenance, Weights, classes_of, input_of};
pub use error::ModelError;
pub use evaluate::{
    Evaluation, EvaluationSet, evaluate, evaluate_inputs, evaluate_labels, evaluate_shared, spread,
};
pub use load::{load_model, load_models, model_path};
pub use logits::{ImageLogits, LogitRows};
pub use model::Model;
pub use quantize::{Method, QuantizationReport, Quantized, quantize};
